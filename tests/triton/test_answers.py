"""Triton detects what the embedded engine detects, joins requests, and mixes none up."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import anyio
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from waiting import PATIENCE_S

from dirdet.detection import Detection
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits

from .server import TritonServer, regions_of, running

Remote = Callable[..., Detector]
BOX_TOLERANCE_PX = 0.5
FIGURE_TOLERANCE = 0.01
LIMITS = ServerLimits(inferences=32, timeout_s=60)


def figures(found: list[Detection]) -> NDArray[np.float64]:
    return np.array([(*each.box_xyxy, each.confidence, each.score, each.iou or 0) for each in found]).reshape(-1, 7)


def assert_same(found: list[Detection], expected: list[Detection]) -> None:
    assert [each.label for each in found] == [each.label for each in expected]
    difference = np.abs(figures(found) - figures(expected))
    assert (difference[:, :4] <= BOX_TOLERANCE_PX).all()
    assert (difference[:, 4:] <= FIGURE_TOLERANCE).all()


@pytest.mark.parametrize(
    ("model", "shared_memory"),
    [
        ("scenes_detector", False),
        ("scenes_detector", True),
        ("process_detector", False),
        ("scenes_detector_onnx", False),
    ],
)
def test_the_answers_are_those_of_the_embedded_engine(
    model: str,
    shared_memory: bool,
    server: TritonServer,
    remote: Remote,
    embedded: Detector,
    photograph: Image.Image,
    crops: list[Image.Image],
) -> None:
    detector = remote(server.address, model=model, shared_memory=shared_memory)
    pictures = [photograph, *crops, photograph.rotate(90, expand=True), Image.new("RGB", (1, 1))]
    for options in (
        DetectOptions(score_threshold=0.05),
        DetectOptions(nms_iou_threshold=0.2, iou_weight=0.0, score_threshold=0.1),
    ):
        expected = embedded.detect(pictures, options)
        assert sum(map(len, expected)) > len(pictures)
        for found, wanted in zip(detector.detect(pictures, options), expected, strict=True):
            assert_same(found, wanted)


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("model", "parts"),
    [("scenes_detector", ["scenes_trunk", "scenes_roi_stage"]), ("process_detector", ["process_detector"])],
)
def test_concurrent_requests_share_inferences_and_keep_their_answers(
    model: str, parts: list[str], server: TritonServer, remote: Remote, embedded: Detector, crops: list[Image.Image]
) -> None:
    """Thresholds differ from request to request, and one finds nothing at all."""
    queries = [
        DetectOptions(nms_iou_threshold=0.5 if number % 2 else 0.2, score_threshold=0.05)
        for number in range(len(crops))
    ]
    queries[3] = DetectOptions(score_threshold=1)
    expected = [embedded.detect([picture], query)[0] for picture, query in zip(crops, queries, strict=True)]
    answers: list[httpx.Response | None] = [None] * len(crops)
    assert len({(embedded.place(picture).canvas.shape, picture.tobytes()) for picture in crops}) == len(crops) == 8
    assert len({embedded.place(picture).canvas.shape for picture in crops}) == 1
    before = {part: server.batches(part) for part in parts}

    async def ask_all() -> None:
        app = create_app(remote(server.address, model=model), limits=LIMITS)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=PATIENCE_S) as client:

            async def ask(number: int) -> None:
                params = queries[number].model_dump(exclude_none=True, exclude_defaults=True)
                headers = {"content-type": "image/png"}
                answers[number] = await client.post(
                    "/detect", params=params, content=png(crops[number]), headers=headers
                )

            async with anyio.create_task_group() as tasks:
                for number in range(len(crops)):
                    tasks.start_soon(ask, number)

    anyio.run(ask_all)
    for answer, wanted in zip(answers, expected, strict=True):
        assert answer is not None
        assert answer.status_code == 200, answer.text
        [image] = answer.json()["images"]
        found = image["detections"]
        assert [each["label"] for each in found] == [each.label for each in wanted]
        boxes = np.array([each["box"] for each in found]).reshape(-1, 4)
        np.testing.assert_allclose(boxes, figures(wanted)[:, :4], rtol=0, atol=BOX_TOLERANCE_PX)
        confidences = [each["confidence"] for each in found]
        np.testing.assert_allclose(confidences, figures(wanted)[:, 4], rtol=0, atol=FIGURE_TOLERANCE)
    assert len({str(answer.json()) for answer in answers if answer}) == len(crops), "every picture has another answer"
    assert len([wanted for wanted in expected if wanted]) > 4
    for part in parts:
        done = {size: count - before[part].get(size, 0) for size, count in server.batches(part).items()}
        assert max(size for size, count in done.items() if count) > 1, "requests were joined"
        assert sum(size * count for size, count in done.items()) == len(crops), "each canvas was computed once"


def test_a_stage_without_pytorch_says_so(make_server: Callable[..., TritonServer], repository: Path) -> None:
    server = make_server(repository, torch=False)
    try:
        server.launch()
        assert server.wait() != 0
        for model in ("scenes_roi_stage", "process_detector"):
            needs = f"{model} needs PyTorch, torchvision and safetensors in the Python of Triton's Python backend"
            assert needs in server.output()
        assert "or serve scenes_detector_onnx" in server.output()
    finally:
        server.stop()


def test_one_piece_needs_no_pytorch(
    make_server: Callable[..., TritonServer], repository: Path, remote: Remote, tmp_path: Path, photograph: Image.Image
) -> None:
    (tmp_path / "scenes_detector_onnx").symlink_to(repository / "scenes_detector_onnx")
    with running(make_server(tmp_path, torch=False)) as server:
        [found] = remote(server.address, model="scenes_detector_onnx").detect([photograph])
        assert found


def test_shared_memory_is_used_again_and_freed(
    server: TritonServer, remote: Remote, embedded: Detector, crops: list[Image.Image]
) -> None:
    """Each picture goes through the same region, and none is answered with another's detections."""
    detector = remote(server.address, shared_memory=True)
    for picture in crops[:3]:
        assert_same(detector.detect([picture])[0], embedded.detect([picture])[0])
        assert len(regions_of(os.getpid())) == 1
    detector.engine.close()
    assert regions_of(os.getpid()) == []
    assert server.regions() == []
