"""The gateway against LitServe, BentoML and decoding alone, for the same work."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click
from PIL import Image

from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, Row
from dirdet.bench.telling import command_line, shown, tell
from dirdet.errors import MissingExtraError, ParameterError, install_hint
from dirdet.shipped import open_bundle

if TYPE_CHECKING:
    from dirdet.bench.gateway.rounds import Turn

OWN, PEERS = "dirdet", ("litserve", "bentoml")
DECODING = "decoding alone"
# Of the others' requests a second, and of what the same cores decode.
GOALS = {name: Goal(at_least=2.0) for name in PEERS} | {DECODING: Goal(at_least=0.9)}
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
    contestants = {OWN: DIRDET, **{name: CONTESTANTS[name] for name in against}}
    turns, alone = in_rounds(
        contestants,
        files,
        rounds=shown(rounds, "rounds"),
        callers=callers,
        seconds=seconds,
        cores=cores,
        canvas_hw=(size.height, size.width),
    )
    with Image.open(files[0]) as first:
        sent = f"{len(files)} JPEG files, the first {first.width} x {first.height}"
    click.echo(f"{_shares(turns, cores)}\n")
    facts = {"pictures": sent, "turns": {name: _figures(each) for name, each in turns.items()}}
    what = f"{sent}; {callers} callers, {seconds:g} s each time"
    tell(Report(what, command_line(), machine(PACKAGES), _rows(turns, alone), facts), out)


def _rows(turns: Mapping[str, Sequence["Turn"]], alone: Sequence[float]) -> list[Row]:
    """What each answers in a second, and dirdet's divided by it."""
    rates = {name: [turn.load.per_second for turn in each] for name, each in turns.items()} | {DECODING: alone}
    own = rates[OWN]
    rows = [Row(name, each, unit="/s") for name, each in rates.items()]
    rows += [Row(f"{OWN} by {name}", own, unit="/s", against=name, goal=GOALS[name]) for name in rates if name != OWN]
    return rows + [Row(f"{OWN}'s processor time a request: {name}", each) for name, each in _stages(turns[OWN]).items()]


def _stages(turns: Sequence["Turn"]) -> dict[str, list[float]]:
    """Seconds of processor time that a request takes in each stage, a round each."""
    names = [name for name in turns[0].stages_s if all(name in turn.stages_s for turn in turns)] if turns else []
    return {name: [turn.stages_s[name] / turn.load.requests for turn in turns] for name in names}


def _shares(turns: Mapping[str, Sequence["Turn"]], cores: int) -> str:
    """Markdown: how long requests take, and what they take of the CPU."""
    lines = ["| | p50 | p99 | CPU a request | wrk's share |", "|---|---|---|---|---|"]
    for name, each in turns.items():
        cpu_ms = 1000 * median(turn.cpu_s / turn.load.requests for turn in each)
        share = median(turn.load.generator_cpu_s / (turn.load.seconds * cores) for turn in each)
        p50, p99 = (1000 * median(getattr(turn.load, key) for turn in each) for key in ("p50_s", "p99_s"))
        lines.append(f"| {name} | {p50:.0f} ms | {p99:.0f} ms | {cpu_ms:.2f} ms | {share:.1%} |")
    return "\n".join(lines)


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
