"""The gateway against LitServe, BentoML and decoding alone, for the same work."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click
from PIL import Image

from dirdet.bench.machine import machine
from dirdet.bench.turns import ratio
from dirdet.errors import MissingExtraError, ParameterError, install_hint
from dirdet.files import write_whole
from dirdet.shipped import open_bundle

if TYPE_CHECKING:
    from dirdet.bench.gateway.rounds import Turn

PEERS = ("litserve", "bentoml")
GOALS = "Goals: at least 2 times the requests a second of either, and at least 0.9 of what the same cores decode."
PACKAGES = ("dirdet", "fastapi", "uvicorn", "pillow", "numpy")


@click.command("gateway")
@click.option(
    "--pictures", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True,
    help="Folder of JPEG files to send, one after another; each is one request.",
)  # fmt: skip
@click.option(
    "--against", type=click.Choice(PEERS), multiple=True, default=PEERS, show_default=True, help="Repeatable."
)
@click.option("--callers", type=click.IntRange(min=1), default=8, show_default=True, help="Requests at the same time.")
@click.option("--seconds", type=click.FloatRange(min=1), default=10, show_default=True, help="Of load, each time.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="In which all take turns.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
def command(
    *, pictures: Path, against: Sequence[str], callers: int, seconds: float, rounds: int, out: Path | None
) -> None:
    """Send the same pictures to dirdet's gateway and to others, each over an engine that does nothing.

    All decode, resize to the shipped detector's canvas and answer ten detections in JSON, on all cores of this machine.
    The load comes from wrk (apt-get install wrk). Other servers are installed on first use, in environments below
    ~/.cache/dirdet.
    """
    try:
        from dirdet.bench.gateway.contestants import CONTESTANTS, DIRDET
        from dirdet.bench.gateway.rounds import in_rounds
    except ModuleNotFoundError as exc:
        raise MissingExtraError(f"this measurement needs {exc.name}: {install_hint('bench')}") from exc
    files = sorted(path for path in pictures.iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})
    if not files:
        raise ParameterError("--pictures", f"expected JPEG files in {pictures}, found none")
    size = open_bundle(None).manifest.canvases[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    contestants = {"dirdet": DIRDET, **{name: CONTESTANTS[name] for name in against}}
    with click.progressbar(range(rounds), label="rounds", file=sys.stderr, show_pos=True) as bar:
        turns, alone = in_rounds(
            contestants,
            files,
            rounds=bar,
            callers=callers,
            seconds=seconds,
            cores=cores,
            canvas_hw=(size.height, size.width),
        )
    with Image.open(files[0]) as first:
        sent = f"{len(files)} JPEG files, the first {first.width} x {first.height}"
    facts = {"pictures": sent, "callers": callers, "seconds": seconds, "rounds": rounds, "machine": machine(PACKAGES)}
    click.echo(f"{sent}; {callers} callers, {seconds:g} s each time, {rounds} rounds, {cores} cores\n")
    click.echo(_table(turns, alone, cores))
    click.echo(f"\n{GOALS}")
    if out is not None:
        servers = {name: _figures(each) for name, each in turns.items()}
        content = {**facts, "goals": GOALS, "servers": servers, "decoded_per_second": alone}
        write_whole(out, lambda file: file.write((json.dumps(content, indent=1) + "\n").encode()))


def _table(turns: Mapping[str, Sequence["Turn"]], alone: Sequence[float], cores: int) -> str:
    own = [turn.load.per_second for turn in turns["dirdet"]]
    lines = [
        "| | a second | dirdet is, times | half of the rounds within | p50 | p99 | CPU a request | wrk's share |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, each in turns.items():
        rates = [turn.load.per_second for turn in each]
        cpu_ms = 1000 * median(turn.cpu_s / turn.load.requests for turn in each)
        share = median(turn.load.generator_cpu_s / (turn.load.seconds * cores) for turn in each)
        p50, p99 = (1000 * median(getattr(turn.load, key) for turn in each) for key in ("p50_s", "p99_s"))
        rest = f"{p50:.0f} ms | {p99:.0f} ms | {cpu_ms:.2f} ms | {share:.1%} |"
        lines.append(f"{_row(name, rates, own)} {rest}")
    lines.append(f"{_row('decoding alone', alone, own)} | | | |")
    return "\n".join(lines)


def _row(name: str, rates: Sequence[float], own: Sequence[float]) -> str:
    times = ratio(own, rates)
    return f"| {name} | {median(rates):.1f} | {times.median:.2f} | {times.low:.2f} to {times.high:.2f} |"


def _figures(turns: Sequence["Turn"]) -> list[dict[str, Any]]:
    return [
        {
            "per_second": turn.load.per_second,
            "requests": turn.load.requests,
            "p50_s": turn.load.p50_s,
            "p99_s": turn.load.p99_s,
            "cpu_s": turn.cpu_s,
            "generator_cpu_s": turn.load.generator_cpu_s,
        }
        for turn in turns
    ]
