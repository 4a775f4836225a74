"""Curves of the embedded engine: canvas size, pictures of a batch, threads of one inference."""

import time
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from dirdet.bench.growth.curves import Curve, Turn, rates_in_turns
from dirdet.bundle import Bundle, CanvasSize, ResizeRule
from dirdet.canvas import fit_picture, paint
from dirdet.cores import usable_cores
from dirdet.detector import MAX_BATCH
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet.errors import EngineError
from dirdet.options import DetectOptions, settle
from dirdet.tensors import CanvasBatch

CANVASES = (0.25, 0.5, 1.0, 2.0, 4.0)
BATCHES = (1, 2, 4, 8, 16)
PIXEL_STEP = 32


def request(picture: Image.Image, bundle: Bundle, *, canvas: CanvasSize | None = None, batch: int = 1) -> CanvasBatch:
    """The picture as often as the batch is large, as big as the canvas lets it be.

    Args:
        picture: upright RGB.
        bundle: whose thresholds are used.
        canvas: of any size; None for the bundle's one that fits.
        batch: pictures.
    """
    manifest = bundle.manifest
    rule, canvases = manifest.resize, manifest.canvases
    if canvas is not None:
        sides = sorted((canvas.height, canvas.width))
        rule, canvases = ResizeRule(short_side=sides[0], long_side=sides[1], interpolation=rule.interpolation), [canvas]
    fit = fit_picture((picture.height, picture.width), rule=rule, canvases=canvases)
    settings = settle(DetectOptions(), manifest)
    return CanvasBatch(
        canvas=np.stack([paint(picture, fit, rule=rule)] * batch),  # [B, H, W, 3]
        picture_hw=np.array([fit.resized_hw] * batch, np.int64),  # [B, 2]
        score_threshold=np.full(batch, settings.score_threshold, np.float32),
        iou_weight=np.full(batch, settings.iou_weight, np.float32),
        nms_iou_threshold=settings.nms_iou_threshold,
    )


def turn(engine: Engine, batch: CanvasBatch, *, times: int, expected: int | None = None) -> Turn:
    """Detects on a batch so often.

    Args:
        engine: what computes.
        batch: what is detected on.
        times: how often in a turn.
        expected: detections of every picture; None for what the engine finds now.

    Returns:
        A turn that raises EngineError where a picture has another number of detections.
    """
    right = int(engine.detect(batch).num_detections[0]) if expected is None else expected

    def run() -> float:
        began = time.perf_counter()
        found = [engine.detect(batch).num_detections for _ in range(times)]
        seconds = time.perf_counter() - began
        if any((each != right).any() for each in found):
            raise EngineError(f"expected {right} detections of every picture, found {found[0].tolist()}")
        return len(batch.canvas) * times / seconds

    return run


def canvas_curve(bundle: Bundle, picture: Image.Image, rounds: Iterable[int], *, pictures: int) -> Curve:
    """One picture at a time on canvases from a quarter to four times the side of the bundle's first one."""
    own, engine = bundle.manifest.canvases[0], make_engine(bundle)
    sizes: dict[float, CanvasSize] = {}
    for times in CANVASES:
        height, width = (max(1, round(side * times / PIXEL_STEP)) * PIXEL_STEP for side in (own.height, own.width))
        sizes[height * width / 1e6] = CanvasSize(height=height, width=width)
    turns: dict[float, Turn] = {}
    for megapixels, size in sizes.items():
        # As long a turn for each: a small canvas is done soon.
        times = max(2, round(pictures * own.height * own.width / (size.height * size.width)))
        turns[megapixels] = turn(engine, request(picture, bundle, canvas=size), times=times)
    return Curve(
        "engine: canvas",
        rates_in_turns(turns, rounds),
        default=own.height * own.width / 1e6,
        work={megapixels: megapixels for megapixels in sizes},
        labels={megapixels: f"{size.height}x{size.width}" for megapixels, size in sizes.items()},
        chosen=False,
    )


def batch_curve(
    bundle: Bundle, picture: Image.Image, rounds: Iterable[int], *, pictures: int, sizes: Sequence[int] = BATCHES
) -> Curve:
    """Batches of the bundle's first canvas; every turn has as many pictures, at least one batch."""
    engine = make_engine(bundle)
    expected = int(engine.detect(request(picture, bundle)).num_detections[0])
    turns = {
        float(size): turn(
            engine, request(picture, bundle, batch=size), times=max(1, pictures // size), expected=expected
        )
        for size in sizes
    }
    return Curve("engine: pictures of a batch", rates_in_turns(turns, rounds), default=float(MAX_BATCH))


def thread_curve(bundle: Bundle, picture: Image.Image, rounds: Iterable[int], *, pictures: int) -> Curve:
    """One picture at a time by engines of one thread up to twice the cores; one thread a core is the default."""
    cores, counts = usable_cores(), [1]
    while counts[-1] < 2 * cores:
        counts.append(2 * counts[-1])
    one = request(picture, bundle)
    # Each lets the next one's threads have the cores.
    engines = {count: make_engine(bundle, threads=count, several=True) for count in sorted({*counts, cores})}
    expected = int(engines[1].detect(one).num_detections[0])
    turns = {float(count): turn(each, one, times=pictures, expected=expected) for count, each in engines.items()}
    return Curve("engine: threads of an inference", rates_in_turns(turns, rounds), default=float(cores))
