"""Detects on every picture of a folder, list or archive, into Parquet; resumes a stopped job."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from dirdet.batch.errors import SourceError
from dirdet.batch.filter_conditions import Condition, read_condition
from dirdet.batch.job_record import Job, settings_record
from dirdet.batch.keep_and_review import KEPT, REVIEW, write_split
from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.places import Folder, Place
from dirdet.batch.listing.source import Source, SourceOptions, Tally, left_out
from dirdet.batch.output_folder import ERRORS, Output
from dirdet.batch.outputs.write import stale_lines, summary_lines, write_outputs
from dirdet.batch.picture_plan import Choice, chosen, summarise
from dirdet.batch.progress import duration
from dirdet.batch.remote import is_address, without_query
from dirdet.batch.report.write import ReportRequest, check_ground_truth, tell_report
from dirdet.batch.run_job import JobOutcome, JobRequest, run_job
from dirdet.batch.stopping import GO_ON, TerminatedError, sigterm_raises
from dirdet.batch.video.timeline import parse_rate
from dirdet.commands.batch_engine_options import EngineFlags, engine_options, open_engine
from dirdet.commands.batch_output_options import OutputFlags, output_options
from dirdet.commands.detection_options import DetectionFlags, detection_options
from dirdet.detector.options import Settings, settle
from dirdet.errors import counted
from dirdet.pictures.reading import silence_parsers
from dirdet.untrusted_text import one_line

SOME_UNREAD = 3


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@engine_options
@click.option("--limit", type=click.IntRange(1), help="Only the first N pictures.")
@click.option("--sample", type=click.IntRange(1), help="Only N pictures, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of --sample.")
@click.option("--dry-run", is_flag=True, help="Print what the job would do; write nothing.")
@click.option(
    "--keep", metavar="CONDITION",
    help="Write the detections that meet this SQL condition to kept.parquet: \"iou >= 0.8 AND label = 'bird'\".",
)  # fmt: skip
@click.option(
    "--review", metavar="CONDITION",
    help="Write those that meet this condition and are not kept to review.parquet, the most doubtful first.",
)  # fmt: skip
@click.option(
    "--ground-truth", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="COCO JSON with the objects on the pictures: adds the detections' quality to the report.",
)  # fmt: skip
@click.option("--report/--no-report", default=True, help="Write report.html too.  [default: report]")
@output_options
@click.option("--strict", is_flag=True, help="Stop at the first picture that cannot be read.")
@click.option("--column", help="Column of a table with the pictures' paths.")
@click.option(
    "--pictures", type=Folder(),
    help="Folder or address that the names in a list, table or COCO file are relative to; default: its own folder.",
)  # fmt: skip
@click.option("--all-files", is_flag=True, help="Also try files without a picture's suffix.")
@click.option("--fps", metavar="N", help="Frames for each second of a video, or all; includes videos in folders.")
@click.option(
    "--part", "part_pictures", type=click.IntRange(1), default=500, show_default=True,
    help="Pictures of a part; a killed job repeats only unfinished parts.",
)  # fmt: skip
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Threads that read and decode; default: two more than cores, at most 16.",
)
@click.option("--quiet", is_flag=True, help="Print no progress.")
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
    workers: int | None,
    quiet: bool,
    computing: EngineFlags,
    outputs: OutputFlags,
    wanted: DetectionFlags,
) -> None:
    """Detects objects in every picture of SOURCE, into Parquet files in the folder OUT.

    SOURCE is a folder (with its subfolders), a .tar or .zip archive, a video, or a quoted pattern ('shots/**/*.jpg',
    'shards-{00..15}.tar'). It may also be a list of names: text (.txt), CSV, Parquet or COCO. Each of them can be an
    address (s3://, gs://, http://). Pictures that cannot be read are listed in errors.parquet.

    The same command resumes a stopped or killed job, and the results are the same as without the interruption. The exit
    status is 0; 3 if some picture could not be read; 1 if the job could not continue; 2 for wrong usage; 130 after
    Ctrl-C, 143 after SIGTERM.
    """
    silence_parsers()
    options = wanted.checked()
    rate = None if fps is None else parse_rate(fps)
    found = open_source(source, SourceOptions(column, pictures, all_files, besides=out, videos=rate))
    choice = Choice(limit, sample, seed)
    engine = open_engine(computing)
    kept, reviewed = (
        None if text is None else read_condition(text, engine.described, parameter=parameter)
        for text, parameter in ((keep, "keep"), (review, "review"))
    )
    threads = workers or min(16, (os.cpu_count() or 1) + 2)
    afterwards = outputs.checked(engine.described, keep=kept, review=reviewed, seed=seed, workers=threads, quiet=quiet)
    settings = settle(options, engine.described)
    _warn_of_unreached(settings, kept, reviewed)
    if report and ground_truth is not None:
        check_ground_truth(ground_truth)
    if dry_run:
        settings_json = settings_record(settings).model_dump_json()
        click.echo(
            f"{_preview(source, found, choice, part_pictures)}\ndetector {engine.detector.name}, {settings_json}\n"
            f"into {out}; nothing was written"
        )
        return
    named = without_query(source) if is_address(source) else source
    request = JobRequest(found, named, choice, part_pictures, threads, strict=strict, quiet=quiet)
    output = Output(out)
    with _stopping(lambda: _progress(output)), sigterm_raises(), closing(engine):
        done = run_job(request, output, engine=engine, settings=settings)
    click.echo(_summary(done, out))
    coco = Path(source) if found.kind == "coco" and ground_truth is None and not is_address(source) else None
    with _stopping(lambda: f"all detections are done and kept, {GO_ON}"), sigterm_raises(), output.locked():
        split = write_split(out, done.job, keep=kept, review=reviewed)
        for name, count in ((KEPT, split.kept), (REVIEW, split.review)):
            if count is not None:
                click.echo(f"{counted(count, 'detection')} in {out / name}")
        if report:
            message = tell_report(out, done.job, engine.described, ReportRequest(kept, reviewed, ground_truth, coco))
            click.echo(message.text, err=message.failed)
        written = write_outputs(out, done.job, engine.described, afterwards)
        for line in summary_lines(out, written):
            click.echo(one_line(line))
        for line in stale_lines(out, done.job, afterwards, written):
            click.echo(one_line(line), err=True)
    if any(part.failures for part in done.job.parts):
        sys.exit(SOME_UNREAD)


def _warn_of_unreached(settings: Settings, *conditions: Condition | None) -> None:
    """Prints a warning for each condition that asks for scores below the job's threshold."""
    for each in conditions:
        if each is not None and (least := min(each.cuts.get("score", [1.0]))) < settings.score_threshold:
            click.echo(
                f"warning: --{each.parameter} has the score {least:g}, but this job has no detection with a score of "
                f"{settings.score_threshold:g} or less; --score-threshold lowers that",
                err=True,
            )


@contextmanager
def _stopping(progress: Callable[[], str]) -> Generator[None]:
    """On Ctrl-C or SIGTERM within the block, prints the progress and ends the process."""
    try:
        yield
    except KeyboardInterrupt as exc:
        click.echo(f"\ndirdet: stopped; {progress()}", err=True)
        sys.exit(143 if isinstance(exc, TerminatedError) else 130)


def _progress(output: Output) -> str:
    job = output.read_job()
    whole = sum(part.pictures for part in job.parts) if job else 0
    total = job.identity.source.pictures if job else 0
    return f"{whole} of {counted(total, 'picture')} done and kept, {GO_ON}"


def _preview(named: str, source: Source, choice: Choice, part_pictures: int) -> str:
    tally = Tally()
    planned = summarise(chosen(source, choice, tally), tally)
    if not planned.pictures:
        raise SourceError("; ".join([f"{named}: holds no picture", *tally.left_out()]))
    number = counted(planned.pictures, "picture")
    told = f"{number} of the {source.kind} {named}, {_parts(planned.pictures, part_pictures)}"
    return "; ".join([told, *tally.left_out()])


def _parts(pictures: int, part_pictures: int) -> str:
    return f"{counted(-(-pictures // part_pictures), 'part')} of {part_pictures}"


def _summary(done: JobOutcome, out: Path) -> str:
    job: Job = done.job
    pictures = sum(part.pictures for part in job.parts)
    failures = sum(part.failures for part in job.parts)
    found = sum(part.detections for part in job.parts)
    lines = [f"{out}: {counted(found, 'detection')} in {counted(pictures - failures, 'picture')}"]
    if failures:
        lines.append(f"{failures} could not be read: {out / ERRORS}")
    source = job.identity.source
    lines += left_out(source)
    if done.recomputed:
        lines.append(f"part {', '.join(map(str, done.recomputed))} was changed or missing and was computed again")
    if done.tried_again:
        lines.append(
            f"pictures of part {', '.join(map(str, done.tried_again))} could not be reached before and were tried again"
        )
    if done.already:
        lines.append("the job was already finished; nothing was done")
    else:
        rate = pictures / job.seconds if job.seconds else 0.0
        lines.append(f"{duration(job.seconds)}, {rate:.1f} pictures/s")
    return "\n".join(lines)
