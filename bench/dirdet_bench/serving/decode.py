"""How fast pictures are read and placed, by threads, beside decoders alone."""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.bundle.bundle import Manifest
from dirdet.bundle.interpolation import Decode
from dirdet.bundle.shipped import open_bundle
from dirdet.engines.cores import usable_cores
from dirdet.errors import EngineError
from dirdet.pictures.canvas import place_file
from dirdet.pictures.reading import read_picture
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.harness.plots import lines
from dirdet_bench.harness.report import Goal, Row, rows_against
from dirdet_bench.harness.turns import results_in_turns
from dirdet_bench.serving.other_decoders import MEAN_TOLERANCE, REQUIREMENTS, Decoder, difference, other_decoder
from dirdet_bench.serving.other_projects.decoder_process import rate

PLACING, READING, PILLOW = "read and placed", "read", "Pillow alone"
SCALED = "read and placed, decoded at the scale that is needed"
# What limits, EXIF and transparency may cost beside decoding, and what resizing and placing may add.
GOALS = {READING: Goal(at_least=0.95), PLACING: Goal(at_least=0.8)}
# How PICTURE is written as each type; WebP is lossy, as on the web.
SETTINGS: Mapping[str, Mapping[str, Any]] = {"JPEG": {"quality": 90}, "PNG": {}, "WEBP": {"quality": 90}}


def _kind_and_threads(row: Mapping[str, Any]) -> tuple[str, int]:
    kind, threads = row["group"].split(", ")
    return kind, int(threads.split()[0])


@measurement(
    "decode",
    packages=("pillow", "numpy", "cykooz-resizer"),
    rounds=5,
    plot=lines(_kind_and_threads, x="threads", y="pictures a second, median"),
)
@click.argument("picture", type=click.File("rb"))
@detector_option
@click.option(
    "--kind", "kinds", type=click.Choice(list(SETTINGS), case_sensitive=False), multiple=True, default=list(SETTINGS),
    show_default=True, help="Type of file that PICTURE is written as.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1), multiple=True, help="[1, 2, 4, ... to the usable cores]")
@click.option(
    "--against", type=click.Choice(list(REQUIREMENTS)), multiple=True,
    help="Also another project's decoder, installed on first use below ~/.cache/dirdet; repeatable.",
)  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0), default=1.0, show_default=True, help="Of each, each round.")
def command(
    *,
    picture: IO[bytes],
    folder: Path | None,
    kinds: Sequence[str],
    threads: Sequence[int],
    against: Sequence[str],
    seconds: float,
    rounds: int,
) -> Result:
    """Time reading PICTURE and placing it on a canvas as serving does, against decoding alone by Pillow and by others.

    From bytes in memory, in threads of one process, all in turns. A decoder counts if its pixels are those that serving
    reads: exactly for PNG, else within 1.5 of 255 in the mean. Goals: reading at least 0.95 of Pillow alone, reading
    and placing 0.8.
    """
    manifest = open_bundle(folder).manifest
    pixels = read_picture(picture)
    rows: list[Row] = []
    facts: dict[str, object] = {"picture": f"{pixels.width} x {pixels.height}", "mean_tolerance": dict(MEAN_TOLERANCE)}
    works = {PILLOW: pillow_alone, READING: read, PLACING: partial(place, manifest=manifest, decode="exact")}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dirdet-bench-")))
        others = [stack.enter_context(other_decoder(name)) for name in against]
        for kind in kinds:
            content, file = encoded(pixels, kind), scratch / f"picture.{kind.lower()}"
            file.write_bytes(content)
            wrong = _differences([each for each in others if each.reads(kind)], file, kind, content)
            facts |= {f"not counted: {other.name}, {kind}": why for other, why in wrong if why}
            for count in threads or _doubling(usable_cores()):
                runs: dict[str, Callable[[], float]] = {
                    name: partial(rate, work, [content], threads=count, seconds=seconds) for name, work in works.items()
                }
                if kind == "JPEG":
                    scaled = partial(place, manifest=manifest, decode="scaled")
                    runs[SCALED] = partial(rate, scaled, [content], threads=count, seconds=seconds)
                for other in [other for other, why in wrong if not why]:
                    runs[other.name] = partial(other.rate, [file], threads=count, seconds=seconds)
                group = f"{kind}, {count} {'thread' if count == 1 else 'threads'}"
                rates = results_in_turns(runs, rounds, label=group)
                rows += rows_against(rates, PILLOW, GOALS, unit="/s", group=group)
    return Result(f"Pictures a second of {facts['picture']}, placed for {manifest.name}", rows, facts)


def encoded(picture: Image.Image, kind: str) -> bytes:
    """An RGB picture as a file of a type of `SETTINGS`."""
    file = BytesIO()
    picture.save(file, kind, **SETTINGS[kind])
    return file.getvalue()


def place(content: bytes, manifest: Manifest, decode: Decode) -> NDArray[np.uint8]:
    """The canvas [H, W, 3] that serving makes of a file."""
    return place_file(BytesIO(content), manifest, decode=decode).canvas


def read(content: bytes) -> NDArray[np.uint8]:
    """Pixels [H, W, 3] RGB that serving reads."""
    return np.asarray(read_picture(BytesIO(content)))


def pillow_alone(content: bytes) -> NDArray[np.uint8]:
    """Pixels [H, W, 3] RGB by Pillow, without limits, EXIF or transparency."""
    with Image.open(BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def place_files(files: Sequence[Path], *, threads: int, seconds: float) -> float:
    """Pictures a second that threads decode and place as the shipped detector's requests do, from bytes in memory."""
    manifest = open_bundle(None).manifest
    work = partial(place, manifest=manifest, decode=manifest.defaults.decode)
    return rate(work, [file.read_bytes() for file in files], threads=threads, seconds=seconds)


def _differences(others: Sequence[Decoder], file: Path, kind: str, content: bytes) -> list[tuple[Decoder, str | None]]:
    """Each decoder with how its pixels differ from those that serving reads.

    Raises:
        EngineError: serving reads other pixels than Pillow.
    """
    expected = read(content)
    if (wrong := difference(expected, pillow_alone(content), kind)) is not None:
        raise EngineError(f"{kind} as it is read differs from Pillow's: {wrong}")
    return [(other, difference(other.decoded(file), expected, kind)) for other in others]


def _doubling(cores: int) -> list[int]:
    """1, 2, 4 and so on, and the cores themselves."""
    return sorted({*(2**power for power in range(cores.bit_length())), cores})


if __name__ == "__main__":
    print(place_files([Path(name) for name in sys.argv[3:]], threads=int(sys.argv[1]), seconds=float(sys.argv[2])))
