"""Runs a job from wherever it stands to its end, or to where it can go on from."""

import time
from dataclasses import dataclass
from importlib.metadata import version

from dirdet.batch.engines.base import JobEngine, Sink
from dirdet.batch.entry import Entry
from dirdet.batch.errors import JobStoppedError, OutputError, SourceError
from dirdet.batch.job import Identity, Job, StageSeconds, settings_told, source_told
from dirdet.batch.listing.source import Source
from dirdet.batch.listing.tally import Tally
from dirdet.batch.missing import Missing
from dirdet.batch.output import Output
from dirdet.batch.plan import Choice, chosen, first_difference, read_plan, write_plan
from dirdet.batch.progress import Progress
from dirdet.batch.rows import PartRows
from dirdet.batch.stopping import stopped
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
        strict: end at the first picture that cannot be read.
        quiet: tell no progress.
    """

    source: Source
    named: str
    choice: Choice
    part_pictures: int
    workers: int
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


def run_job(ask: Ask, output: Output, *, engine: JobEngine, settings: Settings) -> Done:
    """Does what is not done yet.

    Raises:
        SourceError: there is no picture.
        OutputError: the folder holds something else, or the results of another job; says what differs.
        JobStoppedError: the job could not go on.
        DirdetError: the engine cannot compute.
        KeyboardInterrupt: it was interrupted; whole parts are kept.
    """
    output.read_job()  # what is no folder of results is refused before anything is written there
    computing = engine.begin()
    with output.locked():
        output.sweep()
        job = _begun(ask, output, engine, computing, settings)
        tried_again = [part.number for part in job.parts if part.unreached]
        sound = [part for part in job.parts if not part.unreached and output.sound(part)]
        named = range(job.part_count) if job.finished else [part.number for part in job.parts]
        recomputed = sorted(set(named) - {part.number for part in sound} - set(tried_again))
        if output.complete(job) and not recomputed and not tried_again:
            return Done(job, already=True, recomputed=[], tried_again=[])
        job = job.model_copy(update={"parts": sound, "finished": False})
        job = _go_on(ask, output, job, engine, settings)
        output.write_errors(job)
        job = output.finish(job)
        return Done(job, already=False, recomputed=recomputed, tried_again=tried_again)


def _begun(ask: Ask, output: Output, engine: JobEngine, computing: str, settings: Settings) -> Job:
    """The job that the folder holds, if it is this one; else a new one. Either way its plan is written."""
    tally = Tally()
    planned = write_plan(output.new_plan, chosen(ask.source, ask.choice, tally), tally)
    try:
        if not planned.pictures:
            raise SourceError(f"{ask.named}: holds no picture{_left_out(tally)}")
        identity = Identity(
            dirdet=version("dirdet"),
            source=source_told(ask.source.kind, ask.named, planned, ask.choice),
            detector=engine.detector,
            engine=computing,
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


def _go_on(ask: Ask, output: Output, job: Job, engine: JobEngine, settings: Settings) -> Job:
    """Computes the parts that are missing."""
    parts = {part.number: part for part in job.parts}
    before = sum(part.pictures for part in job.parts)
    began, seconds, engine_seconds = time.monotonic(), job.seconds, job.engine_seconds
    write_seconds = 0.0

    def times() -> dict[str, float]:
        return {
            "seconds": round(seconds + time.monotonic() - began, 3),
            "engine_seconds": round(engine_seconds + work.engine_seconds, 3),
        }

    def write(number: int, rows: PartRows) -> None:
        nonlocal write_seconds
        begun = time.monotonic()
        written = output.write_part(number, rows)
        part_log.add(written, **times())
        parts[number] = written
        write_seconds += time.monotonic() - begun

    def failed(entry: Entry, error: PictureError) -> None:
        if ask.strict:
            raise JobStoppedError(f"{entry.name}: {error} (--strict: the job stops here)") from error

    missing = Missing(
        output.plan,
        job.identity.part_pictures,
        job.identity.source.pictures,
        [number for number in range(job.part_count) if number not in parts],
    )
    work = engine.work(settings, workers=ask.workers, sink=Sink(write, failed))
    progress = Progress(job.identity.source.pictures, before=before, quiet=ask.quiet)
    with output.begin(job) as part_log:
        work.start(missing)
        try:
            while not work.done.wait(0.1):
                progress.show(work.pictures, work.failures)
                progress.note(work.notes)
        except BaseException:
            work.stop()
            work.done.wait()
            raise
    progress.show(work.pictures, work.failures, last=True)
    progress.note(work.notes)
    if work.error is not None:
        kept = sum(part.pictures for part in parts.values())
        raise stopped(work.error, output.folder, kept) from work.error
    stages = StageSeconds(
        pictures=work.pictures, workers=ask.workers, whole=round(time.monotonic() - began, 3),
        read=None if work.read_seconds is None else round(work.read_seconds, 3),
        engine=round(work.engine_seconds, 3), write=round(write_seconds, 3),
    )  # fmt: skip
    whole = {"parts": [parts[number] for number in sorted(parts)], "last_run_seconds": stages, **times()}
    return job.model_copy(update=whole)
