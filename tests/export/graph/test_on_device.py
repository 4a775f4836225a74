"""What a bundle detects on a GPU; the suite runs the same on the CPU, `make test-gpu` on CUDA."""

import copy
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from dirdet.bundle.bundle import Bundle
from dirdet.bundle.shipped import open_bundle
from dirdet.engines.factory import make_engine
from dirdet.errors import ParameterError
from dirdet.pictures.reading import read_picture
from dirdet_bench.export.bundle_parts import BundleParts, Precision
from dirdet_bench.export.throughput import command as bench
from dirdet_bench.export.throughput import throughput
from dirdet_bench.harness.canvases import canvas_batch
from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.parity.compare import Comparison, compare_batch
from dirdet_export.parity.found_boxes import Found, found_by_engine
from dirdet_export.parity.match import pair_up
from dirdet_export.parity.pictures import draw_pictures, resized_pixels
from dirdet_export.parity.reference import found_by_mmdet
from dirdet_export.write.files import write_bundle
from dirdet_export.write.float16_weights import round_weights
from dirdet_export.write.known_warnings import expected_warnings

pytestmark = pytest.mark.gpu

PHOTOGRAPH = Path(__file__).resolve().parents[3] / "docs" / "example.jpg"
# Of what is surely there: a half-precision score at the threshold may fall on either side.
SURE = 0.3
HALF_BOX_PX, HALF_FIGURE = 1.0, 0.02
# Counts and a threshold that steer the RoI stage.
STEERING_BYTES = 64 * 1024


# Every architecture where it counts, one where the same lines only have to run.
EVERY = ["dir", "plain", "double_head", "cascade", "class_specific_cascade", "mask_rcnn", "htc_dir"]


@pytest.fixture(params=EVERY if os.environ.get("DIRDET_TEST_DEVICE") == "cuda" else EVERY[:1])
def specimen(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_specimen")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with expected_warnings():
        yield


def provider(device: torch.device) -> Any:
    return "cuda" if device.type == "cuda" else "cpu"


def test_the_bundle_detects_what_the_checkpoint_detects(
    specimen: Any, bundle_of: Callable[..., Path], device: torch.device
) -> None:
    """The checkpoint on the CPU in float32; the whole network and the two parts on the device."""
    bundle = Bundle.open(bundle_of(specimen))
    rule, canvases = bundle.manifest.resize, bundle.manifest.canvases
    pictures = [resized_pixels(picture, rule, canvases) for _, picture in draw_pictures()[:4]]
    engines = [make_engine(bundle, provider=provider(device)), BundleParts(bundle, device=device)]
    row = Comparison("on the device")
    for engine in engines:
        for members in [*([each] for each in pictures), pictures]:
            compare_batch(
                row,
                expected=found_by_mmdet(specimen.model, members),
                model=specimen.model,
                engine=engine,
                pictures=members,
                limits=specimen.limits,
            )
    assert row.passed, row
    assert row.detections > len(pictures)


def test_the_roi_stage_as_a_file_equals_the_module(
    specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]], device: torch.device
) -> None:
    """Both on the device, on the very same pyramid."""
    request = {name: values.to(device) for name, values in ask(3, 128, 96).items()}
    parts = BundleParts(Bundle.open(bundle_of(specimen)), device=device)
    maps = parts.trunk(request)
    found = parts.roi_stage(maps, request)
    given = [request[name] for name in parts.request]
    stage = specimen.detector.roi_stage
    try:
        with torch.inference_mode():
            expected = dict(zip(found, stage.to(device)(*maps, *given), strict=True))
    finally:
        stage.to("cpu")
    assert expected["num_detections"].min() > 0
    for name, values in found.items():
        assert values.device.type == device.type
        assert values.dtype == expected[name].dtype
        tolerance = 0.02 if name == "boxes" else 1e-3
        torch.testing.assert_close(
            values, expected[name], rtol=0, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_a_bundle_in_float16_detects_the_same(
    dir_specimen: Any,
    describe: Callable[..., Any],
    ask: Callable[..., Any],
    device: torch.device,
    tmp_path: Path,
) -> None:
    detector = copy.deepcopy(dir_specimen.detector)
    round_weights(detector)
    description = describe(dir_specimen, weights="float16")
    write_bundle(tmp_path, detector=detector, limits=dir_specimen.limits, description=description)
    request = ask(2)
    with torch.no_grad():
        expected = detector(*request.values())
    parts = BundleParts(Bundle.open(tmp_path), device=device)
    moved = {name: values.to(device) for name, values in request.items()}
    found = parts.roi_stage(parts.trunk(moved), moved)
    for values, wanted in zip(found.values(), expected, strict=True):
        torch.testing.assert_close(values.cpu(), wanted, rtol=0, atol=0.01)


def found_on_the_photograph(precision: Precision, device: torch.device) -> Found:
    bundle = open_bundle()
    with PHOTOGRAPH.open("rb") as file:
        batch = canvas_batch(read_picture(file), bundle.manifest, batch=1)
    height, width = batch.picture_hw[0].tolist()
    limits = Limits(
        max_candidates=bundle.manifest.max_candidates,
        max_detections=bundle.manifest.max_detections,
        score_threshold=float(batch.score_threshold[0]),
        nms_iou_threshold=batch.nms_iou_threshold,
        iou_weight=float(batch.iou_weight[0]),
        predicts_iou=True,
    )
    return found_by_engine(
        BundleParts(bundle, device=device, precision=precision).detect(batch),
        0,
        limits=limits,
        kept_only=False,  # whom NMS keeps may hang on the last digit of an overlap
        picture_hw=(height, width),
    )


def test_computing_in_float16_moves_little(device: torch.device) -> None:
    exact, rough = (found_on_the_photograph(precision, device) for precision in ("float32", "float16"))
    pairs = pair_up(exact, rough)
    assert set(np.flatnonzero(exact.confidence > SURE)) <= set(pairs.one.tolist())
    assert set(np.flatnonzero(rough.confidence > SURE)) <= set(pairs.other.tolist())
    sure = pairs.choose(exact.confidence[pairs.one] > SURE)
    assert len(sure.one) > 3
    for name, away in sure.differences.items():
        assert away.max() <= (HALF_BOX_PX if name == "box" else HALF_FIGURE), name


def test_of_a_request_only_the_answer_comes_to_the_host(device: torch.device, tmp_path: Path) -> None:
    """A trace of one request: the pyramid stays where it is."""
    bundle = open_bundle()
    with PHOTOGRAPH.open("rb") as file:
        batch = canvas_batch(read_picture(file), bundle.manifest, batch=4)
    parts = BundleParts(bundle, device=device)
    request = parts.move(batch)
    maps = parts.trunk(request)
    pyramid = sum(values.nbytes for values in maps)
    answer = sum(values.nbytes for values in parts.roi_stage(maps, request).values())
    assert pyramid > 4 * (answer + STEERING_BYTES), "else the bound below would say nothing"

    activities = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        parts.detect(batch)
    trace = tmp_path / "trace.json"
    profile.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text())["traceEvents"]
    copies = [event["args"]["bytes"] for event in events if event.get("name", "").startswith("Memcpy DtoH")]
    assert sum(copies) <= answer + STEERING_BYTES
    assert bool(copies) == (device.type == "cuda"), "the answer itself is copied"


def test_throughput_is_measured_and_written(device: torch.device, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    arguments = ["--device", device.type, "--batch", "1", "--instances", "1", "--seconds", "0", "--json", str(out)]
    result = CliRunner().invoke(bench, [str(PHOTOGRAPH), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text())
    rows = content["facts"]["measured"]
    whole = [row for row in rows if row["part"] == "detector.onnx"]
    assert [row["precision"] for row in whole] == ["float32"]
    assert len(rows) == 7
    assert all(row["pictures_per_s"] > 0 and row["median_s"] > 0 for row in rows)
    assert [row["median"] for row in content["rows"]] == pytest.approx(
        [row["pictures_per_s"] for row in rows], rel=1e-5
    )
    assert bool(content["facts"]["gpu"]) == (device.type == "cuda")
    assert "| trunk | float16 | 1 | 1 |" in result.stdout


def test_instances_work_side_by_side(device: torch.device) -> None:
    """Each on a thread of its own; none of them alone would get past the barrier."""
    together = threading.Barrier(3, timeout=60)
    found = throughput(lambda: together.wait, device=device, batch=4, instances=3, seconds=0)
    assert found.pictures_per_s > 0


def test_an_instance_that_fails_ends_the_others(device: torch.device) -> None:
    turns = iter([True, False, True])

    def prepare() -> Callable[[], object]:
        if next(turns):
            return lambda: None
        raise MemoryError("no room for another")

    with pytest.raises(MemoryError, match="no room"):
        throughput(prepare, device=device, batch=1, instances=3, seconds=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this is what a machine without a GPU says")
def test_without_a_gpu_cuda_is_refused_in_a_sentence() -> None:
    with pytest.raises(ParameterError, match="torch finds no NVIDIA GPU"):
        CliRunner().invoke(bench, [str(PHOTOGRAPH), "--device", "cuda"], catch_exceptions=False)
