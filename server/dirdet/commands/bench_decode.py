"""How fast pictures are read and placed, by threads, beside decoders alone."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO

import click

from dirdet.bench.decoders import MEAN_TOLERANCE, PEERS, Decoder, decoding, differs
from dirdet.bench.decoding_plot import plot as draw
from dirdet.bench.decoding_rates import WRITTEN, encoded, pillow_alone, place, read
from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, Row
from dirdet.bench.telling import command_line, shown, tell
from dirdet.bench.threads_rate import rate
from dirdet.bench.turns import figures_in_turns
from dirdet.cores import usable_cores
from dirdet.errors import EngineError
from dirdet.pictures import read_picture
from dirdet.shipped import open_bundle

PACKAGES = ("dirdet", "pillow", "numpy", "cykooz-resizer")
PLACING, READING, PILLOW = "read and placed", "read", "Pillow alone"
# What limits, EXIF and transparency cost beside decoding, and what resizing and placing add.
GOALS = {READING: Goal(at_least=0.95), PLACING: Goal(at_least=0.8)}


@click.command("decode")
@click.argument("picture", type=click.File("rb"))
@click.option("--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one].")
@click.option(
    "--kind", "kinds", type=click.Choice(list(WRITTEN), case_sensitive=False), multiple=True, default=list(WRITTEN),
    show_default=True, help="Type of file that PICTURE is written as.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1), multiple=True, help="[1, 2, 4, ... to the usable cores]")
@click.option(
    "--against", type=click.Choice(list(PEERS)), multiple=True,
    help="Also a decoder of another project, installed on first use below ~/.cache/dirdet; repeatable.",
)  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0), default=1.0, show_default=True, help="Of each, each round.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="In which all take turns.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw them into this SVG or PNG.")
def command(
    *,
    picture: IO[bytes],
    folder: Path | None,
    kinds: Sequence[str],
    threads: Sequence[int],
    against: Sequence[str],
    seconds: float,
    rounds: int,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Time reading PICTURE and placing it on a canvas as serving does, against decoding alone by Pillow and by others.

    From bytes in memory, in so many threads of one process, all in turns. A decoder counts where its pixels are those
    that serving reads: exactly for PNG, else within 1.5 of 255 in the mean. Goals: reading at least 0.95 of Pillow
    alone, reading and placing 0.8.
    """
    manifest = open_bundle(folder).manifest
    pixels = read_picture(picture)
    rows: list[Row] = []
    facts: dict[str, object] = {"picture": f"{pixels.width} x {pixels.height}", "mean_tolerance": dict(MEAN_TOLERANCE)}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dirdet-bench-")))
        peers = {name: stack.enter_context(decoding(name)) for name in against}
        for kind in kinds:
            content, file = encoded(pixels, kind), scratch / f"picture.{kind.lower()}"
            file.write_bytes(content)
            fitting, told = _fitting(peers, file, kind, content)
            facts |= told
            for count in threads or _doubling(usable_cores()):
                measures: dict[str, Callable[[], float]] = {
                    name: partial(rate, work, [content], threads=count, seconds=seconds)
                    for name, work in (
                        (PILLOW, pillow_alone),
                        (READING, read),
                        (PLACING, partial(place, manifest=manifest)),
                    )
                }
                for name, peer in fitting.items():
                    measures[name] = partial(peer.rate, [file], threads=count, seconds=seconds)
                group = f"{kind}, {count} {'thread' if count == 1 else 'threads'}"
                rows += _rows(figures_in_turns(measures, shown(rounds, group)), group)
    what = f"Pictures a second of {facts['picture']}, placed for {manifest.name}"
    report = Report(what, command_line(), machine(PACKAGES), rows, facts)
    tell(report, out)
    if plot is not None:
        draw(report.content(), plot)


def _fitting(
    peers: dict[str, Decoder], file: Path, kind: str, content: bytes
) -> tuple[dict[str, Decoder], dict[str, object]]:
    """Those that decode the file to the pixels that serving reads; and of the others, how they differ.

    Raises:
        EngineError: serving itself reads other pixels than Pillow.
    """
    expected = read(content)
    if (wrong := differs(expected, pillow_alone(content), kind)) is not None:
        raise EngineError(f"{kind} as it is read differs from Pillow's: {wrong}")
    found: dict[str, Decoder] = {}
    told: dict[str, object] = {}
    for name, peer in peers.items():
        if kind not in PEERS[name].kinds:
            continue
        wrong = differs(peer.decoded(file), expected, kind)
        if wrong is None:
            found[name] = peer
        else:
            told[f"not counted: {name}, {kind}"] = wrong
    return found, told


def _doubling(cores: int) -> list[int]:
    """1, 2, 4 and so on, and the cores themselves."""
    return sorted({*(2**power for power in range(cores.bit_length())), cores})


def _rows(rates: dict[str, list[float]], group: str) -> list[Row]:
    return [
        Row(
            name,
            values,
            unit="/s",
            against=None if name == PILLOW else PILLOW,
            goal=GOALS.get(name),
            group=group,
        )
        for name, values in rates.items()
    ]
