"""The embedded engine, on the shipped bundle."""

import importlib
import json
import logging
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dirdet.bundle.bundle import Bundle, sha256_of
from dirdet.detection.ranking import combined_iou, confidence, ranked_nms
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines import onnx_runtime
from dirdet.engines.base import DividedEngine, at_once
from dirdet.engines.factory import make_engine
from dirdet.engines.providers import Provider, ProviderName, choose_provider
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.engines.triton.repository.trunk import trunk_outputs
from dirdet.errors import BundleError, EngineError, MissingExtraError
from dirdet.pictures.reading import read_picture

Rectangles = Callable[..., Image.Image]
LOW = 0.01


@pytest.fixture(scope="module")
def shipped(bundle_folder: Path) -> Detector:
    return Detector.open(bundle_folder, provider="cpu")


@pytest.fixture
def scenes(rectangles: Rectangles) -> list[Image.Image]:
    """Pictures of several sizes with something in them."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    boxes = {"red": (20, 30, 200, 150), "green": (250, 40, 300, 250), "blue": (100, 160, 240, 290)}
    return [
        rectangles(320, 300, **boxes),
        Image.fromarray(noise).resize((400, 300)),
        rectangles(300, 900, **boxes),
        Image.new("RGB", (1, 1)),
    ]


def candidates(detector: Detector, pictures: list[Image.Image], *, iou_weight: float) -> Candidates:
    placed = [detector.place(picture) for picture in pictures]
    return detector.engine.detect(
        CanvasBatch(
            canvas=np.stack([each.canvas for each in placed]),
            picture_hw=np.array([each.fit.resized_hw for each in placed], np.int64),
            score_threshold=np.full(len(placed), LOW, np.float32),
            iou_weight=np.full(len(placed), iou_weight, np.float32),
            nms_iou_threshold=0.5,
        )
    )


@pytest.mark.parametrize("iou_weight", [0.0, 0.5, 1.0])
def test_the_graph_ranks_as_the_formulas_do(shipped: Detector, scenes: list[Image.Image], iou_weight: float) -> None:
    found = candidates(shipped, scenes[:1], iou_weight=iou_weight)
    size = int(found.num_candidates[0])
    assert found.purity is not None
    assert found.integrity is not None
    assert size > 0
    iou = combined_iou(found.purity[0, :size], found.integrity[0, :size])
    rank = confidence(found.score[0, :size], iou, iou_weight=iou_weight)
    kept = found.kept[0, : found.num_detections[0]]
    again = ranked_nms(found.boxes_xyxy[0, :size], found.class_id[0, :size], rank, iou_threshold=0.5)
    np.testing.assert_allclose(rank[kept], rank[again[: len(kept)]], atol=1e-4)


def test_inferences_beside_each_other_answer_as_one_with_all_cores(
    bundle_folder: Path, shipped: Detector, scenes: list[Image.Image]
) -> None:
    engine = make_engine(Bundle.open(bundle_folder), provider="cpu", at_once=2)
    assert at_once(engine) == 2
    assert isinstance(engine, DividedEngine)
    settings = shipped.settle(DetectOptions(score_threshold=LOW))
    batches = [CanvasBatch.of([shipped.place(scene)], [settings]) for scene in scenes]
    with ThreadPoolExecutor(2) as threads:
        for beside, alone in zip(threads.map(engine.detect_beside, batches), map(engine.detect, batches), strict=True):
            np.testing.assert_array_equal(beside.num_detections, alone.num_detections)
            np.testing.assert_allclose(beside.boxes_xyxy, alone.boxes_xyxy, atol=0.01)
            np.testing.assert_allclose(beside.score, alone.score, atol=1e-4)


def test_one_at_once_is_one_network(bundle_folder: Path) -> None:
    assert at_once(make_engine(Bundle.open(bundle_folder), provider="cpu")) == 1


def test_together_as_alone(shipped: Detector, scenes: list[Image.Image]) -> None:
    options = DetectOptions(score_threshold=LOW)
    together = shipped.detect(scenes, options)
    for picture, found in zip(scenes, together, strict=True):
        [alone] = shipped.detect([picture], options)
        assert abs(len(alone) - len(found)) <= 1  # a near-tie may fall either way
        for one, other in zip(alone[:5], found[:5], strict=True):
            assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_every_detection_is_inside_and_in_order(shipped: Detector, scenes: list[Image.Image]) -> None:
    for picture, found in zip(scenes, shipped.detect(scenes, DetectOptions(score_threshold=0)), strict=True):
        for each in found:
            x1, y1, x2, y2 = each.box_xyxy
            assert 0 <= x1 <= x2 <= picture.width
            assert 0 <= y1 <= y2 <= picture.height
        ranks = [each.confidence for each in found]
        assert ranks == sorted(ranks, reverse=True)


def test_nothing_above_an_impossible_threshold(shipped: Detector, scenes: list[Image.Image]) -> None:
    assert shipped.detect(scenes, DetectOptions(score_threshold=1)) == [[], [], [], []]


def test_no_pictures(shipped: Detector) -> None:
    assert shipped.detect([]) == []


def test_the_provider_is_logged_with_its_reason(bundle_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        engine = make_engine(Bundle.open(bundle_folder), provider="cpu")
    assert "CPUExecutionProvider" in engine.description
    assert f"engine: {engine.description} (asked for)" in caplog.text


@pytest.fixture
def with_network(bundle_folder: Path, tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes a copy of the bundle with another detector.onnx, its hash included."""

    def write(network: bytes) -> Path:
        folder = tmp_path / "bundle"
        shutil.copytree(bundle_folder, folder)
        (folder / "detector.onnx").write_bytes(network)
        text = json.loads((folder / "bundle.json").read_text())
        text["files"]["detector.onnx"] = sha256_of(folder / "detector.onnx")
        (folder / "bundle.json").write_text(json.dumps(text))
        return folder

    return write


def test_a_file_that_is_no_network(with_network: Callable[[bytes], Path]) -> None:
    with pytest.raises(BundleError, match=r"detector\.onnx cannot be loaded"):
        Detector.open(with_network(b"nonsense"))


def test_a_network_that_is_no_detector(bundle_folder: Path, with_network: Callable[[bytes], Path]) -> None:
    folder = with_network(Bundle.open(bundle_folder).file("trunk.onnx").read_bytes())
    with pytest.raises(BundleError, match="is no detector: expected inputs canvas, iou_weight"):
        Detector.open(folder, provider="cpu")


@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_an_onnx_runtime_without_an_operator_says_which_has_it(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, provider: ProviderName
) -> None:
    ort: Any = importlib.import_module("onnxruntime")

    def refuse(*_args: object, **_options: object) -> None:
        # In the words of ONNX Runtime 1.24.4.
        raise RuntimeError(
            "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for DeformConv(19) node with "
            "name '/trunk/backbone/layer2/layer2.0/conv2/DeformConv'"
        )

    monkeypatch.setattr(ort, "InferenceSession", refuse)
    monkeypatch.setattr(ort, "__version__", "1.24.4")
    with pytest.raises(BundleError, match=r"detector\.onnx needs ONNX Runtime 1\.25 or newer: 1\.24\.4, .* DeformConv"):
        make_engine(Bundle.open(bundle_folder), provider=provider)
    with pytest.raises(BundleError, match=r"trunk\.onnx needs ONNX Runtime 1\.25 or newer"):
        trunk_outputs(Bundle.open(bundle_folder))


def test_without_onnx_runtime_it_says_what_to_install(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[cpu\]' .*'\.\[gpu\]'"):
        Detector.open(bundle_folder)


def test_a_provider_that_does_not_start_is_replaced_by_the_cpu(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def choose(ort: object, wanted: ProviderName = "auto") -> Provider:
        return choose_provider(ort, wanted) if wanted == "cpu" else Provider("Fast", "it is there", [object()])

    monkeypatch.setattr(onnx_runtime, "choose_provider", choose)
    bundle = Bundle.open(bundle_folder)
    with caplog.at_level(logging.INFO):
        assert "CPUExecutionProvider" in make_engine(bundle).description
    assert "Fast was chosen, it is there, but did not start" in caplog.text
    with pytest.raises(EngineError):
        make_engine(bundle, provider="openvino")


def test_twelve_megapixels_from_a_turned_camera(shipped: Detector, encode: Callable[..., bytes]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = np.random.default_rng(1).integers(0, 256, (15, 20, 3), np.uint8)
    data = encode(Image.fromarray(noise).resize((4000, 3000)), "JPEG", quality=90, exif=exif.tobytes())
    # The same pixels, turned by the sender: lossless, since compressing them again would change them.
    upright = Image.open(BytesIO(data)).transpose(Image.Transpose.ROTATE_270)
    turned = read_picture(BytesIO(data))
    sent_upright = read_picture(BytesIO(encode(upright, "BMP")))
    assert turned.size == (3000, 4000)
    options = DetectOptions(score_threshold=LOW)
    [one], [other] = shipped.detect([turned], options), shipped.detect([sent_upright], options)
    assert [each.label for each in one] == [each.label for each in other]
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left.box_xyxy, right.box_xyxy, atol=1)
