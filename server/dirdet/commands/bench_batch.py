"""What a job makes of its engine, and what one would get without it."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import click

from dirdet.batch.engines.bundled import job_detector
from dirdet.bench.batch import Pass, engine_alone, inferring, job, posting
from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, rows_against
from dirdet.bench.telling import command_line, shown, tell
from dirdet.bench.turns import in_turns
from dirdet.detector import Detector
from dirdet.errors import ParameterError
from dirdet.pictures import PICTURE_SUFFIXES
from dirdet.shipped import open_bundle

ENGINE, UNDIVIDED, JOB = "the engine alone", "the same, one batch after another on all cores", "dirdet batch"
POSTING, INFERENCER = "a loop over POST /detect", "DetInferencer"
WARM_UP = 1
# The job is to reach 0.95 of the engine's pace.
GOAL = Goal(at_most=1 / 0.95)
PACKAGES = ("dirdet", "numpy", "onnxruntime", "pillow", "pyarrow")


@click.command("batch")
@click.option(
    "--pictures", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True,
    help="Folder of pictures, all of which can be read.",
)  # fmt: skip
@click.option("--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one].")
@click.option(
    "--inferencer", type=(str, click.Path(path_type=Path, exists=True)), metavar="CONFIG CHECKPOINT",
    help="Also MMDetection's DetInferencer with these, in batches of 8; needs the extra train.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Counted ones.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all times to this file.")
def command(
    *, pictures: Path, folder: Path | None, inferencer: tuple[str, Path] | None, rounds: int, out: Path | None
) -> None:
    """Time a job over PICTURES, its engine alone on canvases that are ready, and the same pictures without a job.

    All in turns, and all that is set up once left out of the time.
    """
    files = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise ParameterError("--pictures", f"expected pictures in {pictures}, found none")
    options = () if folder is None else ("--detector", str(folder))
    passes: dict[str, list[Pass]] = {}
    with ExitStack() as stack:
        runs: dict[str, Callable[[], Pass]] = {
            ENGINE: engine_alone(job_detector(open_bundle(folder)), files),
            UNDIVIDED: engine_alone(Detector.open(folder), files),
            JOB: lambda: job(pictures, *options),
            POSTING: stack.enter_context(posting(files, *options)),
        }
        if inferencer is not None:
            runs[INFERENCER] = stack.enter_context(inferring(files, *inferencer))
        passes = {name: [] for name in runs}
        counting = {name: _kept(run, passes[name]) for name, run in runs.items()}
        in_turns(counting, shown(rounds + WARM_UP, "rounds"), warm_up=0)
    seconds = {name: [each.seconds for each in found[WARM_UP:]] for name, found in passes.items()}
    found = {name: int(median(each.detections for each in those)) for name, those in passes.items()}
    if found[JOB] != found[ENGINE]:
        click.echo(f"the job told {found[JOB]} detections and its engine {found[ENGINE]}", err=True)
    rows = rows_against(seconds, ENGINE, {JOB: GOAL})
    facts = {"pictures": len(files), "detections": found}
    tell(Report(f"A folder of {len(files)} pictures", command_line(), machine(PACKAGES), rows, facts), out)


def _kept(run: Callable[[], Pass], passes: list[Pass]) -> Callable[[], None]:
    return lambda: passes.append(run())
