"""How many tiles a second a large picture takes, against the engine alone on the same tiles."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click
from PIL import Image

from dirdet.bundle.shipped import open_bundle
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions, JoinRule
from dirdet.detector.tiled import TiledPicture
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import MAX_BATCH, CanvasBatch
from dirdet.errors import counted
from dirdet.pictures.regions import Decoded
from dirdet_bench.harness.canvases import open_picture
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.harness.report import Goal, Row
from dirdet_bench.harness.turns import results_in_turns, seconds_of
from dirdet_bench.tiles.sahi_program import INSTALL, SahiProgram

ALONE, BY_RULE, SAHI = "the engine alone", "joined by ", "SAHI's program"
OWN = f"{BY_RULE}integrity"
SHARE = Goal(at_least=0.9)
# Of SAHI's slices to one inference: its default, and as many as we take.
SAHI_BATCHES = (1, MAX_BATCH)


@measurement("tiles", packages=("numpy", "onnxruntime", "pillow"), rounds=5)
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@detector_option
@click.option("--tiles", default="auto", show_default=True, help="As of `dirdet detect --tiles`.")
@click.option("--sahi", is_flag=True, help=f"SAHI's own program in place of its rules; needs {INSTALL}.")
def command(*, picture: Path, folder: Path | None, tiles: str, sahi: bool, rounds: int) -> Result:
    """Measure tiles a second of PICTURE, joined by purity and integrity and by each of SAHI's rules.

    The ways take turns in this process. All compute the same tiles in the same batches; the engine alone is given them
    on canvases, ready made. The others also cut and place the tiles, read the answers and join the boxes. SAHI's own
    program (`--sahi`) calls the same detector; it cuts slices of the same size and overlap and sees the whole picture,
    but has no tiles of twice the size.
    """
    bundle = open_bundle(folder)
    detector = Detector(bundle.manifest, make_engine(bundle))
    pixels = open_picture(picture)
    (count, tile_wh), alone = _engine_alone(detector, pixels, tiles)
    runs: dict[str, Callable[[], float]] = {ALONE: alone}
    for rule in ("integrity",) if sahi else get_args(JoinRule):
        runs[BY_RULE + rule] = _whole(detector, pixels, DetectOptions.checked(tiles=tiles, join=rule), count)
    facts: dict[str, object] = {"picture": f"{pixels.width} x {pixels.height}", "tiles": count}
    for batch_size in SAHI_BATCHES if sahi else ():
        program = SahiProgram(detector, pixels, tile_wh, batch_size=batch_size)
        name = f"{SAHI}, {counted(batch_size, 'slice')} at once"
        runs[name] = _sahi(program)
        facts[name] = f"{program.tiles} tiles, {program.boxes()} boxes"
    rates = results_in_turns(runs, rounds, warm_up=1)
    rows = [Row(ALONE, rates.pop(ALONE), unit="/s")]
    rows += [
        Row(name, values, unit="/s", against=OWN)
        if name.startswith(SAHI)
        else Row(name, values, unit="/s", against=ALONE, goal=SHARE)
        for name, values in rates.items()
    ]
    return Result(f"Tiles a second of {bundle.manifest.name}", rows, facts)


def _sahi(program: SahiProgram) -> Callable[[], float]:
    """A run of SAHI's program over the whole picture that returns its tiles a second."""

    def run() -> float:
        return program.tiles / seconds_of(program.boxes)

    return run


def _engine_alone(
    detector: Detector, pixels: Image.Image, tiles: str
) -> tuple[tuple[int, tuple[int, int]], Callable[[], float]]:
    """How many tiles the picture makes and their size, and a run of the engine over all of them, in tiles a second."""
    settings = detector.settle(DetectOptions.checked(tiles=tiles))
    assert settings.tiling is not None  # as `tiles` asks for one
    tiled = TiledPicture(Decoded(pixels), settings.tiling, settings, detector.manifest)
    batches = [
        CanvasBatch.of([tiled.place(index) for index in batch], [tiled.in_tile] * len(batch))
        for batch in tiled.batches()
    ]

    def run() -> float:
        began = time.perf_counter()
        for batch in batches:
            detector.engine.detect(batch)
        return len(tiled.tiles) / (time.perf_counter() - began)

    left, top, right, bottom = tiled.tiles[0]
    return (len(tiled.tiles), (right - left, bottom - top)), run


def _whole(detector: Detector, pixels: Image.Image, options: DetectOptions, count: int) -> Callable[[], float]:
    """A run over the whole picture, from its pixels to joined boxes, that returns tiles a second."""
    settings = detector.settle(options)

    def run() -> float:
        began = time.perf_counter()
        detector.detect_regions(Decoded(pixels), settings)
        return count / (time.perf_counter() - began)

    return run
