"""Curves of the embedded engine: canvas size, pictures of a batch, threads of one inference."""

import time
from collections.abc import Callable, Sequence

from PIL import Image

from dirdet.bundle.bundle import Bundle, CanvasSize
from dirdet.engines.base import Engine
from dirdet.engines.cores import usable_cores
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import MAX_BATCH, CanvasBatch
from dirdet.errors import EngineError
from dirdet_bench.harness.canvases import canvas_batch
from dirdet_bench.harness.turns import results_in_turns
from dirdet_bench.serving.curves import Curve

CANVASES = (0.25, 0.5, 1.0, 2.0, 4.0)
BATCHES = (1, 2, 4, 8, 16)
PIXEL_STEP = 32


def detect_repeatedly(
    engine: Engine, batch: CanvasBatch, *, times: int, expected: int | None = None
) -> Callable[[], float]:
    """A run that detects on a batch so often and returns pictures a second.

    It raises EngineError if a picture has other than the expected number of detections: None for that of now.
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


def canvas_curve(bundle: Bundle, picture: Image.Image, rounds: int, *, pictures: int) -> Curve:
    """One picture at a time on canvases from a quarter to four times the side of the bundle's first one."""
    own, engine = bundle.manifest.canvases[0], make_engine(bundle)
    sizes: dict[float, CanvasSize] = {}
    for times in CANVASES:
        height, width = (max(1, round(side * times / PIXEL_STEP)) * PIXEL_STEP for side in (own.height, own.width))
        sizes[height * width / 1e6] = CanvasSize(height=height, width=width)
    runs: dict[float, Callable[[], float]] = {}
    for megapixels, size in sizes.items():
        # More small canvases than large ones, so that turns take about as long.
        times = max(2, round(pictures * own.height * own.width / (size.height * size.width)))
        runs[megapixels] = detect_repeatedly(engine, canvas_batch(picture, bundle.manifest, canvas=size), times=times)
    return Curve(
        "engine: canvas",
        results_in_turns(runs, rounds, warm_up=1, label="canvas"),
        default=own.height * own.width / 1e6,
        work={megapixels: megapixels for megapixels in sizes},
        labels={megapixels: f"{size.height}x{size.width}" for megapixels, size in sizes.items()},
        chosen=False,
    )


def batch_curve(
    bundle: Bundle, picture: Image.Image, rounds: int, *, pictures: int, sizes: Sequence[int] = BATCHES
) -> Curve:
    """Batches of the bundle's first canvas; every turn has as many pictures, at least one batch."""
    engine = make_engine(bundle)
    batches = {float(size): canvas_batch(picture, bundle.manifest, batch=size) for size in (1, *sizes)}
    expected = int(engine.detect(batches[1.0]).num_detections[0])
    runs = {
        float(size): detect_repeatedly(engine, batches[float(size)], times=max(1, pictures // size), expected=expected)
        for size in sizes
    }
    rates = results_in_turns(runs, rounds, warm_up=1, label="batch")
    return Curve("engine: pictures of a batch", rates, default=float(MAX_BATCH))


def thread_curve(bundle: Bundle, picture: Image.Image, rounds: int, *, pictures: int) -> Curve:
    """One picture at a time by engines of one thread up to twice the cores; one thread a core is the default."""
    cores, counts = usable_cores(), [1]
    while counts[-1] < 2 * cores:
        counts.append(2 * counts[-1])
    one = canvas_batch(picture, bundle.manifest)
    # `several`: idle threads of one engine leave the cores to another's.
    engines = {count: make_engine(bundle, threads=count, several=True) for count in sorted({*counts, cores})}
    expected = int(engines[1].detect(one).num_detections[0])
    runs = {
        float(count): detect_repeatedly(each, one, times=pictures, expected=expected) for count, each in engines.items()
    }
    rates = results_in_turns(runs, rounds, warm_up=1, label="threads")
    return Curve("engine: threads of an inference", rates, default=float(cores))
