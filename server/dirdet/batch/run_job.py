"""Runs a job from its current state to its end, or to a state from which it can be resumed."""

import time
from dataclasses import dataclass
from importlib.metadata import version

from dirdet.batch.engines.base import JobEngine, ResultHandlers
from dirdet.batch.errors import JobStoppedError, OutputError, SourceError
from dirdet.batch.job_record import Identity, Job, StageSeconds, settings_record, source_record
from dirdet.batch.listing.source import Source, Tally
from dirdet.batch.output_folder import Output
from dirdet.batch.parts import MissingParts
from dirdet.batch.picture_plan import Choice, chosen, first_difference, read_plan, write_plan
from dirdet.batch.progress import Progress
from dirdet.batch.rows import PartRows
from dirdet.batch.source_picture import Entry
from dirdet.batch.stopping import stop_error
from dirdet.detector.options import Settings
from dirdet.errors import PictureError


@dataclass(frozen=True)
class JobRequest:
    """What a job should do.

    Attributes:
        source: the pictures.
        named: the source as the user typed it.
        choice: selection of its pictures.
        part_pictures: pictures in one part, the unit of resuming.
        workers: threads that read and decode.
        strict: stop at the first picture that cannot be read.
        quiet: print no progress.
    """

    source: Source
    named: str
    choice: Choice
    part_pictures: int
    workers: int
    strict: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class JobOutcome:
    """Outcome of a job.

    Attributes:
        job: as in job.json.
        already: it was finished before.
        recomputed: parts of an earlier run whose files were missing or changed.
        tried_again: parts of an earlier run with pictures that could not be reached then.
    """

    job: Job
    already: bool
    recomputed: list[int]
    tried_again: list[int]


def run_job(request: JobRequest, output: Output, *, engine: JobEngine, settings: Settings) -> JobOutcome:
    """Computes the missing parts of a job.

    Raises:
        SourceError: there are no pictures.
        OutputError: the folder holds something else, or the results of another job; the message names the difference.
        JobStoppedError: the job could not continue.
        DirdetError: the engine cannot compute.
        KeyboardInterrupt: the job was interrupted; finished parts are kept.
    """
    output.read_job()  # A folder with something else is refused before anything is written there.
    computing = engine.begin()
    with output.locked():
        output.sweep()
        job = _resumed_or_new(request, output, engine, computing, settings)
        tried_again = [part.number for part in job.parts if part.unreached]
        sound = [part for part in job.parts if not part.unreached and output.sound(part)]
        named = range(job.part_count) if job.finished else [part.number for part in job.parts]
        recomputed = sorted(set(named) - {part.number for part in sound} - set(tried_again))
        if output.complete(job) and not recomputed and not tried_again:
            return JobOutcome(job, already=True, recomputed=[], tried_again=[])
        job = job.model_copy(update={"parts": sound, "finished": False})
        job = _compute_missing(request, output, job, engine, settings)
        output.write_errors(job)
        job = output.finish(job)
        return JobOutcome(job, already=False, recomputed=recomputed, tried_again=tried_again)


def _resumed_or_new(request: JobRequest, output: Output, engine: JobEngine, computing: str, settings: Settings) -> Job:
    """The job in the folder if it is the same job, otherwise a new one; writes its plan in both cases."""
    tally = Tally()
    planned = write_plan(output.new_plan, chosen(request.source, request.choice, tally), tally)
    try:
        if not planned.pictures:
            raise SourceError(f"{request.named}: holds no picture{_left_out(tally)}")
        identity = Identity(
            dirdet=version("dirdet"),
            source=source_record(request.source.kind, request.named, planned, request.choice),
            detector=engine.detector,
            engine=computing,
            settings=settings_record(settings),
            part_pictures=request.part_pictures,
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
    # A resumed job gets the new plan too: paths may be spelled differently, for example from another working directory.
    output.new_plan.replace(output.plan)
    return job or Job(identity=identity)


def _differences(differences: list[str], output: Output) -> str:
    text = "; ".join(differences)
    if any(each.startswith("source.sha256") for each in differences) and output.plan.is_file():
        text += f"; the first that differs: {first_difference(read_plan(output.plan), read_plan(output.new_plan))}"
    return text


def _left_out(tally: Tally) -> str:
    texts = tally.left_out() + (["--all-files takes every file"] if tally.passed_over > tally.videos else [])
    return "".join(f"; {text}" for text in texts)


def _compute_missing(request: JobRequest, output: Output, job: Job, engine: JobEngine, settings: Settings) -> Job:
    """Computes the missing parts."""
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
        if request.strict:
            raise JobStoppedError(f"{entry.name}: {error} (--strict: the job stops here)") from error

    missing = MissingParts(
        output.plan,
        job.identity.part_pictures,
        job.identity.source.pictures,
        [number for number in range(job.part_count) if number not in parts],
    )
    work = engine.work(settings, workers=request.workers, handlers=ResultHandlers(write, failed))
    progress = Progress(job.identity.source.pictures, before=before, quiet=request.quiet)
    with output.begin(job) as part_log:
        work.start(missing)
        try:
            while not work.done.wait(0.1):
                progress.show(work.progress, work.failures)
                progress.note(work.notes)
        except BaseException:
            work.stop()
            work.done.wait()
            raise
    progress.show(work.progress, work.failures, last=True)
    progress.note(work.notes)
    if work.error is not None:
        kept = sum(part.pictures for part in parts.values())
        raise stop_error(work.error, output.folder, kept) from work.error
    stages = StageSeconds(
        pictures=work.pictures, workers=request.workers, whole=round(time.monotonic() - began, 3),
        read=None if work.read_seconds is None else round(work.read_seconds, 3),
        engine=round(work.engine_seconds, 3), write=round(write_seconds, 3),
    )  # fmt: skip
    whole = {"parts": [parts[number] for number in sorted(parts)], "last_run_seconds": stages, **times()}
    return job.model_copy(update=whole)
