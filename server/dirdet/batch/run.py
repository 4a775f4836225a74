"""Runs a job from wherever it stands to its end, or to where it can go on from."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from dirdet.batch.entry import Entry
from dirdet.batch.errors import JobStoppedError, OutputError, SourceError
from dirdet.batch.job import Identity, Job, StageSeconds, detector_told, settings_told, source_told
from dirdet.batch.listing.source import Source
from dirdet.batch.listing.tally import Tally
from dirdet.batch.output import Output
from dirdet.batch.pipeline import Pipeline, Planned
from dirdet.batch.plan import Choice, chosen, first_difference, read_plan, write_plan
from dirdet.batch.progress import Progress
from dirdet.batch.rows import PartRows
from dirdet.batch.stopping import stopped
from dirdet.bundle import MANIFEST, Bundle, sha256_of
from dirdet.detector import Detector
from dirdet.errors import PictureError
from dirdet.options import Settings


@dataclass(frozen=True)
class Ask:
    """What a job is asked for.

    Attributes:
        source: the pictures.
        named: how it was typed.
        choice: which of them.
        part_pictures: of a part, the unit that is resumed by.
        workers: threads that read and decode.
        engine_calls: batches that the engine is given at once.
        strict: end at the first picture that cannot be read.
        quiet: tell no progress.
    """

    source: Source
    named: str
    choice: Choice
    part_pictures: int
    workers: int
    engine_calls: int = 1
    strict: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Done:
    """How a job ended.

    Attributes:
        job: as job.json has it.
        already: it was finished before.
        recomputed: parts of an earlier run that were gone, or whose files were not what they should be.
        tried_again: parts of an earlier run with pictures that could not be reached then.
    """

    job: Job
    already: bool
    recomputed: list[int]
    tried_again: list[int]


def run_job(ask: Ask, output: Output, *, bundle: Bundle, detector: Detector, settings: Settings) -> Done:
    """Does what is not done yet.

    Raises:
        SourceError: there is no picture.
        OutputError: the folder holds something else, or the results of another job; says what differs.
        JobStoppedError: the job could not go on.
        KeyboardInterrupt: it was interrupted; whole parts are kept.
    """
    output.read_job()  # what is no folder of results is refused before anything is written there
    with output.locked():
        output.sweep()
        job = _begun(ask, output, bundle, detector, settings)
        tried_again = [part.number for part in job.parts if part.unreached]
        sound = [part for part in job.parts if not part.unreached and output.sound(part)]
        named = range(job.part_count) if job.finished else [part.number for part in job.parts]
        recomputed = sorted(set(named) - {part.number for part in sound} - set(tried_again))
        if output.complete(job) and not recomputed and not tried_again:
            return Done(job, already=True, recomputed=[], tried_again=[])
        job = job.model_copy(update={"parts": sound, "finished": False})
        job = _go_on(ask, output, job, detector, settings)
        output.write_errors(job)
        job = output.finish(job)
        return Done(job, already=False, recomputed=recomputed, tried_again=tried_again)


def _begun(ask: Ask, output: Output, bundle: Bundle, detector: Detector, settings: Settings) -> Job:
    """The job that the folder holds, if it is this one; else a new one. Either way its plan is written."""
    tally = Tally()
    planned = write_plan(output.new_plan, chosen(ask.source, ask.choice, tally), tally)
    try:
        if not planned.pictures:
            raise SourceError(f"{ask.named}: holds no picture{_left_out(tally)}")
        identity = Identity(
            dirdet=version("dirdet"),
            source=source_told(ask.source.kind, ask.named, planned, ask.choice),
            detector=detector_told(bundle, sha256_of(bundle.folder / MANIFEST)),
            engine=detector.engine.description,
            settings=settings_told(settings),
            part_pictures=ask.part_pictures,
        )
        job = output.read_job()
        if job is not None and (differences := job.identity.differences(identity)):
            raise OutputError(
                f"{output.folder} holds the results of another job: {_differences(differences, output)}. "
                "Name another folder for this one"
            )
    except (SourceError, OutputError):
        output.new_plan.unlink()
        raise
    # Also of a job that goes on: where its pictures are may be told otherwise, as from another working directory.
    output.new_plan.replace(output.plan)
    return job or Job(identity=identity)


def _differences(differences: list[str], output: Output) -> str:
    told = "; ".join(differences)
    if any(each.startswith("source.sha256") for each in differences) and output.plan.is_file():
        told += f"; the first that differs: {first_difference(read_plan(output.plan), read_plan(output.new_plan))}"
    return told


def _left_out(tally: Tally) -> str:
    return f"; the names of {tally.passed_over} files end as no picture's (--all-files)" if tally.passed_over else ""


def _go_on(ask: Ask, output: Output, job: Job, detector: Detector, settings: Settings) -> Job:
    """Computes the parts that are missing."""
    parts = {part.number: part for part in job.parts}
    before = sum(part.pictures for part in job.parts)
    began, seconds, engine_seconds = time.monotonic(), job.seconds, job.engine_seconds

    def times() -> dict[str, float]:
        return {
            "seconds": round(seconds + time.monotonic() - began, 3),
            "engine_seconds": round(engine_seconds + pipeline.engine_seconds, 3),
        }

    def write(number: int, rows: PartRows) -> None:
        written = output.write_part(number, rows)
        part_log.add(written, **times())
        parts[number] = written

    def failed(entry: Entry, error: PictureError) -> None:
        if ask.strict:
            raise JobStoppedError(f"{entry.name}: {error} (--strict: the job stops here)") from error

    pipeline = Pipeline(
        detector, settings, workers=ask.workers, engine_calls=ask.engine_calls, write=write, failed=failed
    )
    progress = Progress(job.identity.source.pictures, before=before, quiet=ask.quiet)
    with output.begin(job) as part_log:
        pipeline.start(_missing(output.plan, job, set(parts)))
        try:
            while not pipeline.done.wait(0.1):
                progress.show(pipeline.pictures, pipeline.failures)
        except BaseException:
            pipeline.stop()
            pipeline.done.wait()
            raise
    progress.show(pipeline.pictures, pipeline.failures, last=True)
    if pipeline.error is not None:
        kept = sum(part.pictures for part in parts.values())
        raise stopped(pipeline.error, output.folder, kept) from pipeline.error
    stages = StageSeconds(
        pictures=pipeline.pictures, workers=ask.workers, whole=round(time.monotonic() - began, 3),
        read=round(pipeline.read_seconds, 3), engine=round(pipeline.engine_seconds, 3),
        write=round(pipeline.write_seconds, 3),
    )  # fmt: skip
    whole = {"parts": [parts[number] for number in sorted(parts)], "last_run_seconds": stages, **times()}
    return job.model_copy(update=whole)


def _missing(plan: Path, job: Job, done: set[int]) -> Iterator[Planned]:
    """The pictures of the parts that are not done."""
    missing = [number for number in range(job.part_count) if number not in done]
    if not missing:
        return
    size = job.identity.part_pictures
    start = missing[0] * size
    wanted = set(missing)
    for position, entry in enumerate(read_plan(plan, start), start):
        if position // size in wanted:
            yield Planned(position // size, position, entry)
