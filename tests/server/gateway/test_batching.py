"""Pictures of many requests in common batches, by the shipped detector: the same answers as alone."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import anyio
import numpy as np
import pytest
from PIL import Image

from dirdet.api.answers import PictureAnswer
from dirdet.detection import Detection
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.base import Engine
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.gateway.scheduling.concurrency import gather
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detection_service import DetectionService, Upload
from dirdet.gateway.service.detectors import ServedDetector

ROOT = Path(__file__).resolve().parents[3]
SIZES = [(640, 427), (427, 640), (320, 256), (200, 300), (1000, 600), (333, 333), (256, 320), (900, 1200)]


class Counted:
    """Remembers the sizes of its batches."""

    def __init__(self, near: Engine) -> None:
        self.near = near
        self.shapes: list[tuple[int, ...]] = []

    @property
    def description(self) -> str:
        return self.near.description

    def ready(self) -> bool:
        return self.near.ready()

    def close(self) -> None:
        self.near.close()

    def detect(self, batch: CanvasBatch) -> Candidates:
        self.shapes.append(batch.canvas.shape)
        return self.near.detect(batch)


@pytest.fixture(scope="module")
def shipped(bundle_folder: Path) -> Detector:
    return Detector.open(bundle_folder, provider="cpu")


@pytest.fixture(scope="module")
def pictures(encode: Callable[..., bytes]) -> list[bytes]:
    """Eight distinct ones: a photograph in other sizes, turned, mirrored, darker."""
    with Image.open(ROOT / "docs" / "example.jpg") as photograph:
        made: list[bytes] = []
        for number, size in enumerate(SIZES):
            changed = photograph.convert("RGB").resize(size)
            if number % 2:
                changed = changed.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            made.append(encode(changed.point(lambda value, number=number: value * (1 - number / 20)), "PNG"))
    return made


def ask(service: DetectionService, pictures: list[bytes], options: list[DetectOptions]) -> list[list[Detection]]:
    """Each picture as a request of its own, all at once."""

    async def one(data: bytes, wanted: DetectOptions) -> list[Detection]:
        served = service.served
        async with service.seated(served, 60, announced_bytes=len(data)) as seat:
            uploads, settings = [Upload("a", BytesIO(data))], served.detector.settle(wanted)
            [answer] = await service.detect(served, uploads, settings, seat, list)
        assert isinstance(answer, PictureAnswer)
        return answer.found.detections

    async def everything() -> list[list[Detection]]:
        return await gather([partial(one, *each) for each in zip(pictures, options, strict=True)])

    return anyio.run(everything)


def served(detector: Detector) -> tuple[DetectionService, Counted]:
    counted = Counted(detector.engine)
    limits = ServerLimits(decoders=2)
    service = DetectionService(limits)
    service.serve(ServedDetector(Detector(detector.manifest, counted), limits))
    return service, counted


@pytest.mark.parametrize("same_size", [True, False])
def test_eight_pictures_at_once_get_the_boxes_they_get_alone(
    shipped: Detector, pictures: list[bytes], encode: Callable[..., bytes], *, same_size: bool
) -> None:
    if same_size:
        pictures = [encode(Image.open(BytesIO(data)).resize(SIZES[0])) for data in pictures]
    service, counted = served(shipped)
    options = [DetectOptions(score_threshold=0.2 if number % 3 else 0.05) for number in range(len(pictures))]
    alone = [ask(service, [data], [wanted])[0] for data, wanted in zip(pictures, options, strict=True)]
    assert sum(map(len, alone)) > len(pictures)
    counted.shapes.clear()
    together_ = ask(service, pictures, options)
    assert len(counted.shapes) < len(pictures)  # some shared an inference
    for one, other in zip(alone, together_, strict=True):
        assert [each.label for each in one] == [each.label for each in other]
        for left, right in zip(one, other, strict=True):
            np.testing.assert_allclose(left.box_xyxy, right.box_xyxy, atol=0.5)
            assert left.confidence == pytest.approx(right.confidence, abs=0.01)


def test_requests_that_suppress_otherwise_do_not_share_an_inference(shipped: Detector, pictures: list[bytes]) -> None:
    service, counted = served(shipped)
    options = [DetectOptions(nms_iou_threshold=0.3 + 0.2 * (number % 2)) for number in range(4)]
    found = ask(service, pictures[:1] * 4, options)
    assert len(found[0]) <= len(found[1])
    assert found[0] == found[2]
    assert found[1] == found[3]
    assert len(counted.shapes) >= 2
