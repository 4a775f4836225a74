"""Detects on every picture of a folder, list or archive, into Parquet; a job that was stopped goes on."""

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import click

from dirdet.batch.engines.base import JobEngine
from dirdet.batch.engines.command_options import EngineValues, engine_options, open_engine
from dirdet.batch.entry import Entry
from dirdet.batch.errors import SourceError
from dirdet.batch.expression import Condition, parse
from dirdet.batch.job import Job, settings_told
from dirdet.batch.listing.places import Folder, Place
from dirdet.batch.listing.source import Source, SourceOptions, open_source
from dirdet.batch.listing.tally import Tally
from dirdet.batch.output import ERRORS, Output
from dirdet.batch.outputs.command_options import OutputOptions, output_options
from dirdet.batch.outputs.write import told, write_outputs
from dirdet.batch.plan import Choice, chosen, look_over
from dirdet.batch.progress import duration
from dirdet.batch.remote import is_address, without_query
from dirdet.batch.report.tell import check_ground_truth, tell_report
from dirdet.batch.report.write import ReportAsk
from dirdet.batch.run import Ask, Done, run_job
from dirdet.batch.signals import TerminatedError, terminable
from dirdet.batch.split import KEPT, REVIEW, check_tells, write_split
from dirdet.batch.stopping import GO_ON
from dirdet.batch.video.timeline import parse_rate
from dirdet.commands.detection_options import detection_options
from dirdet.errors import ParameterError
from dirdet.options import Described, DetectOptions, Settings, settle

SOME_UNREAD = 3


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@engine_options
@click.option("--limit", type=click.IntRange(1), help="Only the first so many pictures.")
@click.option("--sample", type=click.IntRange(1), help="Only so many, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--keep", metavar="CONDITION", help="These detections also into kept.parquet: 'iou>=0.8 and score>=0.5'.")
@click.option(
    "--review", metavar="CONDITION",
    help="These, if not kept, also into review.parquet, the most doubtful first.",
)  # fmt: skip
@click.option(
    "--ground-truth", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="COCO JSON with the objects on the pictures: the report then says how good the detections are.",
)  # fmt: skip
@click.option("--report/--no-report", default=True, help="Write report.html too.  [default: report]")
@output_options
@click.option("--strict", is_flag=True, help="Stop at the first picture that cannot be read.")
@click.option("--column", help="Of a table: the column with the pictures' paths.")
@click.option(
    "--pictures", type=Folder(),
    help="Folder or address that the names in a list, table or COCO file are relative to; its own unless given.",
)  # fmt: skip
@click.option("--all-files", is_flag=True, help="Try files too whose names end as no picture's.")
@click.option("--fps", metavar="N", help="So many frames of a video's second, or all; also of videos in folders.")
@click.option(
    "--part", "part_pictures", type=click.IntRange(1), default=500, show_default=True,
    help="Pictures of a part: what is lost at most when the job is killed.",
)  # fmt: skip
@click.option(
    "--scaled-decode", is_flag=True,
    help="Decode large JPEGs at a half to an eighth of their size, if on the first ones fewer than 1% of boxes move by "
    "more than 1 px; the share is told.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), help="Threads that read and decode; two more than cores.")
@click.option("--quiet", is_flag=True, help="Tell no progress.")
@detection_options
def command(
    source: str,
    out: Path,
    limit: int | None,
    sample: int | None,
    seed: int,
    dry_run: bool,
    keep: str | None,
    review: str | None,
    ground_truth: Path | None,
    report: bool,
    strict: bool,
    column: str | None,
    pictures: Place | None,
    all_files: bool,
    fps: str | None,
    part_pictures: int,
    scaled_decode: bool,
    workers: int | None,
    quiet: bool,
    classes: tuple[str, ...],
    outputs: OutputOptions,
    **options: Any,  # noqa: ANN401 - see EngineValues and DetectOptions
) -> None:
    """Detects objects in every picture of SOURCE, into Parquet files in the folder OUT.

    SOURCE is a folder (with those in it), a quoted pattern ('shots/**/*.jpg', 'shards-{00..15}.tar'), a list (.txt), a
    CSV or Parquet table, a COCO file, a .tar or .zip archive, a video, or any of these at an address (s3://, gs://,
    http://). Pictures that cannot be read are in errors.parquet.

    A job that was stopped, however it was, goes on when the same command is given again, and ends with the same
    results. The exit status is 0; 3 if some picture could not be read; 1 if the job could not go on; 2 if the command
    was not understood; 130 after Ctrl-C, 143 after SIGTERM.
    """
    engine_values = cast(EngineValues, {name: options.pop(name) for name in EngineValues.__annotations__})
    wanted = DetectOptions.checked(classes=list(classes), **options)
    rate = None if fps is None else parse_rate(fps)
    found = open_source(source, SourceOptions(column, pictures, all_files, besides=out, videos=rate))
    choice = Choice(limit, sample, seed)
    engine = open_engine(engine_values)
    kept = _condition(keep, engine.described, "keep")
    reviewed = _condition(review, engine.described, "review")
    threads = workers or min(16, (os.cpu_count() or 1) + 2)
    afterwards = outputs.checked(engine.described, keep=kept, review=reviewed, seed=seed, workers=threads, quiet=quiet)
    settings = settle(wanted, engine.described)
    if report and ground_truth is not None:
        check_ground_truth(ground_truth)
    if dry_run:
        told_settings = settings_told(settings).model_dump_json()
        click.echo(
            f"{_looked_over(source, found, choice, part_pictures)}\ndetector {engine.detector.name}, {told_settings}\n"
            f"into {out}; nothing is written yet"
        )
        return
    named = without_query(source) if is_address(source) else source
    ask = Ask(found, named, choice, part_pictures, threads, strict=strict, quiet=quiet)
    output = Output(out)
    if scaled_decode:
        click.echo(_try_scaled(engine, chosen(found, choice, Tally()), settings), err=True)
    with _stopping(lambda: _far(output)), terminable(), closing(engine):
        done = run_job(ask, output, engine=engine, settings=settings)
    click.echo(_summary(done, out))
    coco = Path(source) if found.kind == "coco" and ground_truth is None and not is_address(source) else None
    with _stopping(lambda: f"all detections are done and kept, {GO_ON}"), terminable(), output.locked():
        split = write_split(out, done.job, keep=kept, review=reviewed)
        for name, count in ((KEPT, split.kept), (REVIEW, split.review)):
            if count is not None:
                click.echo(f"{count} detections in {out / name}")
        if report:
            said = tell_report(out, done.job, engine.described, ReportAsk(kept, reviewed, ground_truth, coco))
            click.echo(said.text, err=said.failed)
        for line in told(out, write_outputs(out, done.job, engine.described, afterwards)):
            click.echo(line)
    if any(part.failures for part in done.job.parts):
        sys.exit(SOME_UNREAD)


@contextmanager
def _stopping(how_far: Callable[[], str]) -> Generator[None]:
    """Ends the process where it is told to stop in the block, and says how far it came."""
    try:
        yield
    except KeyboardInterrupt as exc:
        click.echo(f"\ndirdet: stopped; {how_far()}", err=True)
        sys.exit(143 if isinstance(exc, TerminatedError) else 130)


def _try_scaled(engine: JobEngine, entries: Iterator[Entry], settings: Settings) -> str:
    from dirdet.batch.engines.bundled import EmbeddedJobEngine

    if not isinstance(engine, EmbeddedJobEngine):
        raise ParameterError("--scaled-decode", "is for jobs that are computed in this process")
    return str(engine.try_scaled(entries, settings))


def _far(output: Output) -> str:
    job = output.read_job()
    whole = sum(part.pictures for part in job.parts) if job else 0
    total = job.identity.source.pictures if job else 0
    return f"{whole} of {total} pictures are done and kept, {GO_ON}"


def _looked_over(named: str, source: Source, choice: Choice, part_pictures: int) -> str:
    tally = Tally()
    planned = look_over(chosen(source, choice, tally), tally)
    if not planned.pictures:
        raise SourceError(f"{named}: holds no picture")
    return (
        f"{planned.pictures} pictures of the {source.kind} {named}, {_parts(planned.pictures, part_pictures)}; "
        f"{tally.passed_over} files passed over, {tally.repeated} repeated names left out"
    )


def _condition(text: str | None, described: Described, parameter: str) -> Condition | None:
    if text is None:
        return None
    condition = parse(text, parameter=parameter)
    check_tells(condition, described, parameter=parameter)
    return condition


def _parts(pictures: int, part_pictures: int) -> str:
    return f"{-(-pictures // part_pictures)} parts of {part_pictures}"


def _summary(done: Done, out: Path) -> str:
    job: Job = done.job
    pictures = sum(part.pictures for part in job.parts)
    failures = sum(part.failures for part in job.parts)
    found = sum(part.detections for part in job.parts)
    lines = [f"{out}: {found} detections in {pictures - failures} pictures"]
    if failures:
        lines.append(f"{failures} could not be read: {out / ERRORS}")
    if job.identity.source.passed_over:
        lines.append(f"{job.identity.source.passed_over} files passed over: their names end as no picture's")
    if done.recomputed:
        lines.append(f"part {', '.join(map(str, done.recomputed))} had been changed or lost and was computed again")
    if done.tried_again:
        lines.append(
            f"pictures of part {', '.join(map(str, done.tried_again))} could not be reached before: tried again"
        )
    if done.already:
        lines.append("the job was finished already; nothing was done")
    else:
        rate = pictures / job.seconds if job.seconds else 0.0
        lines.append(f"{duration(job.seconds)}, {rate:.1f} pictures/s")
    return "\n".join(lines)
