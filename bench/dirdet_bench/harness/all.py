"""All measurements one after another with few rounds, and one table of all goals."""

import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dirdet_bench.harness.history import Figure, figures_of, record
from dirdet_bench.harness.machine import machine
from dirdet_bench.harness.materials import Materials
from dirdet_bench.harness.planned import PLANNED
from dirdet_bench.harness.report import Goal
from dirdet_bench.harness.subprocess_run import BUSY, Outcome, run
from dirdet_bench.harness.tables import goal_cells, three_digits

# Fewer rounds than this have no interval to speak of.
LEAST_ROUNDS = 5
# A share of the processors that other work may have during a measurement.
MOST_BUSY = 0.2
HEAD = ("measurement", "what", "measured", "goal", "")


@click.command("all")
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--only", type=click.Choice([each.name for each in PLANNED]), multiple=True, help="This one; repeatable [all]."
)
@click.option(
    "--minutes", type=click.FloatRange(min=0.1), default=19.0, show_default=True,
    help="For all together; a measurement that does not fit is ended or left out.",
)  # fmt: skip
@click.option("--triton", metavar="HOST:PORT", help="gRPC endpoint of a running Triton, for `triton`.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("work_dirs/bench"),
    show_default=True, help="Folder for each one's report and log.",
)  # fmt: skip
@click.option(
    "--history", type=click.Path(path_type=Path, dir_okay=False),
    help="File of one line a commit, which gets this one's; what became worse since the last is said.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Keep the reports that are in that folder, and run only what has none.")
def command(
    *,
    picture: Path,
    only: Sequence[str],
    minutes: float,
    triton: str | None,
    folder: Path,
    history: Path | None,
    resume: bool,
) -> None:
    """Run every `dirdet bench` with few rounds on parts of PICTURE, and print each goal with what was measured.

    Each is a process of its own. The table also has those that failed or lack a program or a package. The exit status
    is 1 if one failed; a missed goal is no failure. A goal is judged only by a figure whose interval, half of its
    rounds, lies on one side of it, and not where other work had a part of the processors.
    """
    # SIGTERM then ends the running measurement first, as Ctrl-C does.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    click.get_current_context().call_on_close(lambda: signal.signal(signal.SIGTERM, before))
    folder.mkdir(parents=True, exist_ok=True)
    materials = Materials(picture, folder / "materials")
    until = time.monotonic() + 60 * minutes
    outcomes: list[Outcome] = []
    for planned in PLANNED:
        report = folder / f"{planned.name}.json"
        if resume and report.is_file():
            outcomes.append(Outcome(planned, "ran", "", report))
            continue
        if only and planned.name not in only:
            continue
        began = time.monotonic()
        click.echo(f"{planned.name}: ", nl=False, err=True)
        outcomes.append(run(planned, materials, folder, left_s=until - began, triton=triton))
        click.echo(outcomes[-1].why or f"{time.monotonic() - began:.0f} s", err=True)
    click.echo(f"{goals_table(outcomes)}\n\n{counted(outcomes)}; reports and logs are in {folder}")
    if history is not None and (figures := _figures(outcomes)):
        for sentence in record(history, figures, machine(())):
            click.echo(f"worse: {sentence}")
    if any(outcome.state == "failed" for outcome in outcomes):
        sys.exit(1)


def goals_table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: a line for each goal; of rows that share one, the worst."""
    lines = [cells for outcome in outcomes for cells in _lines(outcome)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (HEAD, ["---"] * len(HEAD), *lines))


def counted(outcomes: Sequence[Outcome]) -> str:
    """How many goals were met, missed and not measured, in a line."""
    verdicts = [cells[-1].partition(":")[0] for outcome in outcomes for cells in _lines(outcome)]
    counts = [(name, verdicts.count(name)) for name in ("met", "missed", "open", "not judged", "failed", "not run")]
    return ", ".join(f"{number} {name}" for name, number in counts if number)


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Figure]:
    """What can be compared with other commits: of measurements that ran undisturbed."""
    found: dict[str, Figure] = {}
    for outcome in outcomes:
        if outcome.state == "ran" and (content := _content(outcome)).get(BUSY, 0) <= MOST_BUSY:
            found |= figures_of(outcome.planned.name, content["rows"])
    return found


def _content(outcome: Outcome) -> dict[str, Any]:
    return json.loads(outcome.report.read_text(encoding="utf-8"))


def _lines(outcome: Outcome) -> list[Sequence[str]]:
    name = outcome.planned.name
    if outcome.state != "ran":
        verdict = f"{outcome.state}: {outcome.why}".replace("|", "/")
        return [(name, "", "", goal, verdict) for goal in outcome.planned.goals or ("",)]
    content = _content(outcome)
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in content["rows"]:
        if row["goal"]:
            alike.setdefault((row["name"], str(row["against"]), json.dumps(row["goal"])), []).append(row)
    if not alike:
        return [(name, content["what"], "", "", "informs only, no goal")]
    return [(name, *_worst(rows, busy=content.get(BUSY, 0))) for rows in alike.values()]


def _worst(rows: Sequence[Mapping[str, Any]], *, busy: float) -> tuple[str, str, str, str]:
    """The row that is furthest from its goal, or least beyond it."""
    measured = [row for row in rows if row["median"] is not None]
    if not measured:
        return rows[0]["name"], "", goal_cells(rows[0])[1], "not run: nothing was measured"
    worst = max(measured, key=_badness)
    figure, goal, _ = goal_cells(worst)
    if worst["ratio"] is None:
        goal = f"{goal} {worst['unit']}".rstrip()
    among = f", worst of {len(rows)}: {worst['group']}" if len(rows) > 1 else ""
    return f"{worst['name']}{among}", figure, goal, _verdict(worst, busy=busy)


def _verdict(row: Mapping[str, Any], *, busy: float) -> str:
    """Whether a measured row met its goal, if that can be said."""
    if busy > MOST_BUSY:
        return f"not judged: other work had {busy:.0%} of the processors"
    spread = row["ratio"]
    if spread is not None:
        within = f"half of the rounds within {three_digits(spread['low'])} to {three_digits(spread['high'])}"
        if row["rounds"] < LEAST_ROUNDS:
            return f"open: {row['rounds']} rounds, {within}"
        goal = Goal(**row["goal"])
        if goal.met(spread["low"]) != goal.met(spread["high"]):
            return f"open: {within}"
    return goal_cells(row)[2]


def _badness(row: Mapping[str, Any]) -> float:
    figure = row["median"] if row["ratio"] is None else row["ratio"]["median"]
    return figure if "at_most" in row["goal"] else -figure
