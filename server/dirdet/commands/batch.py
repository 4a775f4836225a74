"""Detects on every picture of a folder, list or archive, into Parquet; a job that was stopped goes on."""

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import click

from dirdet.batch.engines.command_options import EngineValues, engine_options, open_engine
from dirdet.batch.errors import SourceError
from dirdet.batch.expression import Condition, parse
from dirdet.batch.job import Job, settings_told
from dirdet.batch.listing.source import SourceOptions, open_source
from dirdet.batch.listing.tally import Tally
from dirdet.batch.output import ERRORS, Output
from dirdet.batch.outputs.command_options import OutputOptions, output_options
from dirdet.batch.outputs.write import told, write_outputs
from dirdet.batch.plan import Choice, chosen, look_over
from dirdet.batch.progress import duration
from dirdet.batch.run import Ask, Done, run_job
from dirdet.batch.signals import TerminatedError, terminable
from dirdet.batch.split import KEPT, REVIEW, check_tells, write_split
from dirdet.batch.stopping import GO_ON
from dirdet.options import Described, DetectOptions, settle

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
@output_options
@click.option("--strict", is_flag=True, help="Stop at the first picture that cannot be read.")
@click.option("--column", help="Of a table: the column with the pictures' paths.")
@click.option(
    "--pictures", type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder that the names in a list, table or COCO file are relative to; its own unless given.",
)  # fmt: skip
@click.option("--all-files", is_flag=True, help="Try files too whose names end as no picture's.")
@click.option(
    "--part", "part_pictures", type=click.IntRange(1), default=500, show_default=True,
    help="Pictures of a part: what is lost at most when the job is killed.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), help="Threads that read and decode; two more than cores.")
@click.option("--quiet", is_flag=True, help="Tell no progress.")
@click.option("--score-threshold", type=float, metavar="0..1", help="Least classification score.")
@click.option(
    "--nms-iou-threshold", type=float, metavar="0..1", help="Of two boxes of a class that overlap by more, one goes."
)
@click.option("--min-iou", type=float, metavar="0..1", help="Least iou, the predicted localization confidence.")
@click.option(
    "--iou-weight", type=float, metavar="0..1", help="w in confidence = score^(1-w) * iou^w; 0 is the plain detector."
)
@click.option("--max-detections", type=int, help="At most so many per picture, the most confident.")
@click.option("--classes", multiple=True, help="Only these: names or class ids, comma-separated or repeated.")
def command(
    source: str,
    out: Path,
    limit: int | None,
    sample: int | None,
    seed: int,
    dry_run: bool,
    keep: str | None,
    review: str | None,
    strict: bool,
    column: str | None,
    pictures: Path | None,
    all_files: bool,
    part_pictures: int,
    workers: int | None,
    quiet: bool,
    classes: tuple[str, ...],
    outputs: OutputOptions,
    **options: Any,  # noqa: ANN401 - see EngineValues and DetectOptions
) -> None:
    """Detects objects in every picture of SOURCE, into Parquet files in the folder OUT.

    SOURCE is a folder (with those in it), a quoted pattern ('shots/**/*.jpg', 'shards/*.tar'), a list (.txt), a CSV or
    Parquet table, a COCO file, or a .tar or .zip archive. Pictures that cannot be read are in errors.parquet.

    A job that was stopped, however it was, goes on when the same command is given again, and ends with the same
    results. The exit status is 0; 3 if some picture could not be read; 1 if the job could not go on; 2 if the command
    was not understood; 130 after Ctrl-C, 143 after SIGTERM.
    """
    engine_values = cast(EngineValues, {name: options.pop(name) for name in EngineValues.__annotations__})
    wanted = DetectOptions.checked(classes=list(classes), **options)
    found = open_source(source, SourceOptions(column, pictures, all_files, besides=out))
    choice = Choice(limit, sample, seed)
    engine = open_engine(engine_values)
    kept = _condition(keep, engine.described, "keep")
    reviewed = _condition(review, engine.described, "review")
    threads = workers or min(16, (os.cpu_count() or 1) + 2)
    afterwards = outputs.checked(
        engine.described, keep=kept, review=reviewed, seed=seed, workers=threads, quiet=quiet
    )
    settings = settle(wanted, engine.described)
    if dry_run:
        tally = Tally()
        planned = look_over(chosen(found, choice, tally), tally)
        if not planned.pictures:
            raise SourceError(f"{source}: holds no picture")
        click.echo(
            f"{planned.pictures} pictures of the {found.kind} {source}, {_parts(planned.pictures, part_pictures)}; "
            f"{tally.passed_over} files passed over, {tally.repeated} repeated names left out\n"
            f"detector {engine.detector.name}, {settings_told(settings).model_dump_json()}\n"
            f"into {out}; nothing is written yet"
        )
        return
    ask = Ask(found, source, choice, part_pictures, threads, strict=strict, quiet=quiet)
    output = Output(out)
    try:
        with terminable(), closing(engine):
            done = run_job(ask, output, engine=engine, settings=settings)
    except KeyboardInterrupt as exc:
        job = output.read_job()
        whole = sum(part.pictures for part in job.parts) if job else 0
        total = job.identity.source.pictures if job else 0
        click.echo(f"\ndirdet: stopped; {whole} of {total} pictures are done and kept, {GO_ON}", err=True)
        sys.exit(143 if isinstance(exc, TerminatedError) else 130)
    click.echo(_summary(done, out))
    try:
        with terminable(), output.locked():
            split = write_split(out, done.job, keep=kept, review=reviewed)
            for name, count in ((KEPT, split.kept), (REVIEW, split.review)):
                if count is not None:
                    click.echo(f"{count} detections in {out / name}")
            for line in told(out, write_outputs(out, done.job, engine.described, afterwards)):
                click.echo(line)
    except KeyboardInterrupt as exc:
        click.echo("\ndirdet: stopped; all detections are done and kept, the same command writes the rest", err=True)
        sys.exit(143 if isinstance(exc, TerminatedError) else 130)
    if any(part.failures for part in done.job.parts):
        sys.exit(SOME_UNREAD)


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
    if done.already:
        lines.append("the job was finished already; nothing was done")
    else:
        rate = pictures / job.seconds if job.seconds else 0.0
        lines.append(f"{duration(job.seconds)}, {rate:.1f} pictures/s")
    return "\n".join(lines)
