"""A small detector of coloured rectangles, and pictures of them: what the HTTP and command-line tests share."""

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image, ImageDraw

from dirdet.bundle.bundle import CanvasSize, Category, Manifest, Provenance, ResizeRule, Thresholds
from dirdet.detection.ranking import combined_iou, confidence, ranked_nms
from dirdet.detector.detector import Detector
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.errors import EngineError

# Tests import ONNX Runtime by themselves too, and it should tell nobody (`dirdet.engines.onnx_module`).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Threads of OpenMP that wait for one another spin otherwise, on the cores that the other process of tests computes on.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A shell's background job ignores SIGINT, and so would every process that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing on a busy machine. In CI every run tries the same examples.
settings.register_profile("dirdet", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("dirdet")

# Red, green and blue rectangles are the three classes. Their scores fall while their purities rise, so that
# the order by score and the order by confidence differ.
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
SCORES = (0.9, 0.8, 0.7)
PURITIES = (0.3, 0.6, 0.95)
INTEGRITY = 0.9

Encode = Callable[..., bytes]


class RectangleEngine:
    """Finds the one red, the one green and the one blue rectangle of a canvas."""

    def __init__(self, *, plain: bool = False, masks: bool = False) -> None:
        """With `plain` it predicts no purity and no integrity, with `masks` the upper half of every rectangle."""
        self.plain = plain
        self.masks = masks
        self.least_side = 1  # of a rectangle on the canvas, pixels: it finds no smaller one
        self.broken: Exception | None = None
        self.is_ready = True
        self.closed = False
        self.batches: list[CanvasBatch] = []

    @property
    def description(self) -> str:
        return "rectangles"

    def ready(self) -> bool:
        return self.is_ready

    def close(self) -> None:
        self.closed = True

    def detect(self, batch: CanvasBatch) -> Candidates:
        if self.broken is not None:
            raise self.broken
        self.batches.append(batch)
        size = len(batch.canvas)
        boxes, number = np.zeros((size, 3, 4), np.float32), np.zeros(size, np.int64)
        classes, kept = np.zeros((size, 3), np.int64), np.zeros((size, 3), np.int64)
        score, purity = np.zeros((size, 3), np.float32), np.zeros((size, 3), np.float32)
        survivors = np.zeros(size, np.int64)
        for index in range(size):
            height, width = batch.picture_hw[index]
            pixels = batch.canvas[index, :height, :width].astype(np.int64)
            for class_id, colour in enumerate(COLOURS.values()):
                if SCORES[class_id] <= batch.score_threshold[index]:
                    continue
                inside = np.abs(pixels - colour).max(axis=2) < 100
                if not inside.any():
                    continue
                rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
                if min(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 < self.least_side:
                    continue
                slot = number[index]
                boxes[index, slot] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
                classes[index, slot], score[index, slot] = class_id, SCORES[class_id]
                purity[index, slot] = PURITIES[class_id]
                number[index] += 1
            found = slice(0, number[index])
            iou = None if self.plain else combined_iou(purity[index, found], np.full(number[index], INTEGRITY))
            rank = confidence(score[index, found], iou, iou_weight=float(batch.iou_weight[index]))
            survives = ranked_nms(
                boxes[index, found], classes[index, found], rank, iou_threshold=batch.nms_iou_threshold
            )
            survivors[index] = len(survives)
            kept[index, : len(survives)] = survives
        integrity = np.full((size, 3), INTEGRITY, np.float32)
        upper_half = np.repeat(np.array([1, 0], np.float32), 14)[:, None] * np.ones(28, np.float32)
        mask = upper_half * (np.arange(3) < survivors[:, None])[..., None, None]  # [B, 3, 28, 28]
        return Candidates(
            boxes_xyxy=boxes,
            class_id=classes,
            score=score,
            purity=None if self.plain else purity,
            integrity=None if self.plain else integrity,
            num_candidates=number,
            kept=kept,
            num_detections=survivors,
            mask=mask.astype(np.float32) if self.masks else None,
        )

    def fail(self) -> None:
        """From now on the engine does not answer."""
        self.broken = EngineError("rectangles: out of order")


def _manifest(localization_confidence: Literal["dir"] | None) -> Manifest:
    return Manifest(
        name="rectangles",
        architecture="none",
        localization_confidence=localization_confidence,
        categories=[Category(name=name, category_id=10 * (number + 1)) for number, name in enumerate(COLOURS)],
        canvases=[CanvasSize(height=192, width=256), CanvasSize(height=256, width=192)],
        resize=ResizeRule(short_side=192, long_side=256, interpolation="antialiased"),
        max_candidates=3,
        max_detections=3,
        defaults=Thresholds(score_threshold=0.05, nms_iou_threshold=0.5, iou_weight=0.5),
        inputs=[],
        outputs=[],
        provenance=Provenance(
            config="none", checkpoint_sha256="0" * 64, created=datetime(2026, 1, 1, tzinfo=UTC).isoformat(), versions={}
        ),
        quality={"AP": 0.5},
        limitations="knows rectangles only",
        files={},
    )


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    """Of the detector of rectangles."""
    return _manifest("dir")


@pytest.fixture
def engine() -> RectangleEngine:
    return RectangleEngine()


@pytest.fixture
def detector(manifest: Manifest, engine: RectangleEngine) -> Detector:
    """Finds coloured rectangles; class and box are right, purity and integrity are made up."""
    return Detector(manifest, engine)


@pytest.fixture
def plain_detector() -> Detector:
    """The same without localization confidence."""
    return Detector(_manifest(None), RectangleEngine(plain=True))


@pytest.fixture
def mask_detector(manifest: Manifest) -> Detector:
    """Also tells the upper half of every rectangle as its mask."""
    return Detector(manifest.model_copy(update={"mask_threshold": 0.5}), RectangleEngine(masks=True))


def _rectangles(width: int = 640, height: int = 480, **boxes: tuple[int, int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (width, height), (128, 128, 128))
    brush = ImageDraw.Draw(picture)
    for colour, (x1, y1, x2, y2) in (boxes or {"red": (100, 60, 300, 200)}).items():
        brush.rectangle((x1, y1, x2 - 1, y2 - 1), fill=COLOURS[colour])
    return picture


@pytest.fixture(scope="session")
def rectangles() -> Callable[..., Image.Image]:
    """Draws a picture: `rectangles(width, height, red=(x1, y1, x2, y2), ...)`."""
    return _rectangles


def _encode(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def encode() -> Encode:
    """The bytes of a picture's file: `encode(picture, "JPEG", quality=95)`."""
    return _encode


@pytest.fixture(scope="session")
def device() -> Any:
    """Where tests marked `gpu` compute, a torch.device: the CPU, or a GPU by DIRDET_TEST_DEVICE=cuda."""
    import torch

    chosen = torch.device(os.environ.get("DIRDET_TEST_DEVICE", "cpu"))
    if chosen.type == "cuda" and not torch.cuda.is_available():
        pytest.exit("DIRDET_TEST_DEVICE=cuda, but torch finds no NVIDIA GPU with a driver", returncode=2)
    return chosen
