"""All measurements one after another with few rounds, and one table of all goals."""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from dirdet.bench.goals import counted, goals_table
from dirdet.bench.materials import Materials
from dirdet.bench.one_after_another import Outcome, run
from dirdet.bench.planned import PLANNED


@click.command("all")
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--only", type=click.Choice([each.name for each in PLANNED]), multiple=True, help="This one; repeatable [all]."
)
@click.option(
    "--minutes", type=click.FloatRange(min=0.1), default=29.0, show_default=True,
    help="For all together; what does not fit is ended or left out, and told.",
)  # fmt: skip
@click.option("--triton", metavar="HOST:PORT", help="gRPC endpoint of a running Triton; without it nothing asks one.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("work_dirs/bench"),
    show_default=True, help="Folder for each one's report and log.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Keep the reports that are in that folder, and run only what has none.")
def command(
    *, picture: Path, only: Sequence[str], minutes: float, triton: str | None, folder: Path, resume: bool
) -> None:
    """Run every `dirdet bench` with few rounds on parts of PICTURE, and print each goal with what was measured.

    Each runs by itself; one that fails, or lacks a program or a package, is told and does not end the others. The exit
    status is 1 if one failed; a goal that is missed is no failure.
    """
    # As Ctrl-C: what runs is ended first.
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
        told = outcomes[-1].why or f"{time.monotonic() - began:.0f} s"
        click.echo(told, err=True)
    click.echo(f"{goals_table(outcomes)}\n\n{counted(outcomes)}; reports and logs are in {folder}")
    if any(outcome.state == "failed" for outcome in outcomes):
        sys.exit(1)
