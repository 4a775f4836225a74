"""The folder of a job's results: one writer, atomic files, and a check of an earlier run's files."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.errors import OutputError
from dirdet.batch.job_record import JOB, Job, PartRecord
from dirdet.batch.part_log import PARTS, PartLog, read_log, write_log
from dirdet.batch.rows import PartRows, picture_schema
from dirdet.batch.stopping import CRASH
from dirdet.bundle.bundle import sha256_of
from dirdet.errors import first_fault
from dirdet.files import finished_name, open_lock, read_regular, write_whole

PLAN = "sources.parquet"
NEW_PLAN = "sources.new.parquet"
ERRORS = "errors.parquet"
LOCK = ".lock"
# Of job.json, which had the parts too before schema 2.
MOST_JOB_BYTES = 2**28
FOLDERS = ("detections", "pictures")


def part_files(number: int) -> dict[str, str]:
    """A part's files by their folder; the numbers sort as text."""
    return {folder: f"{folder}/part-{number:06d}.parquet" for folder in FOLDERS}


class Output:
    """One job's folder.

    Attributes:
        folder: of the results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def plan(self) -> Path:
        return self.folder / PLAN

    @property
    def new_plan(self) -> Path:
        """Path of the new plan until it is known to be the job's."""
        return self.folder / NEW_PLAN

    def complete(self, job: Job) -> bool:
        """Whether all parts are done."""
        return job.finished and (self.folder / ERRORS).is_file()

    def read_job(self) -> Job | None:
        """Reads the job in this folder; None if there is none.

        Raises:
            OutputError: the folder holds something else, or a job.json that cannot be read.
        """
        path = self.folder / JOB
        try:
            return self._with_parts(Job.model_validate_json(read_regular(path, most_bytes=MOST_JOB_BYTES)))
        except (FileNotFoundError, NotADirectoryError) as exc:
            if self.folder.exists() and not self.folder.is_dir():
                raise OutputError(f"{self.folder} is a file; expected a folder for the results") from exc
        except ValidationError as exc:
            raise OutputError(f"{path}: was not written by this version of dirdet: {first_fault(exc)}") from exc
        ours = {PLAN, NEW_PLAN, LOCK, PARTS, CRASH, *FOLDERS}
        foreign = sorted(each.name for each in self._listed() if each.name not in ours and not _is_ours(each.name))
        if foreign:
            raise OutputError(f"{self.folder} holds {foreign[0]} and no {JOB}: expected an empty folder")
        return None

    @contextmanager
    def locked(self) -> Generator[None]:
        """Locks the folder against other jobs; the system releases the lock when the process ends, however it ends.

        Raises:
            OutputError: another job is writing here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with open_lock(self.folder / LOCK) as file:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ModuleNotFoundError:  # Windows has no flock, so two concurrent jobs are not detected there.
                pass
            except BlockingIOError as exc:
                raise OutputError(f"{self.folder}: another job is writing its results here") from exc
            yield

    def sweep(self) -> None:
        """Removes the unfinished files of a killed run."""
        for folder in (self.folder, *(self.folder / name for name in FOLDERS)):
            if folder.is_dir():
                for each in folder.iterdir():
                    if _is_ours(each.name):
                        each.unlink(missing_ok=True)

    def sound(self, part: PartRecord) -> bool:
        """Whether a part's files match its line in parts.jsonl."""
        paths = {self.folder / name: expected for name, expected in part.sha256.items()}
        return all(path.is_file() and sha256_of(path) == expected for path, expected in paths.items())

    def write_part(self, number: int, rows: PartRows) -> PartRecord:
        """Writes a part's files.

        Raises:
            OSError: a file cannot be written.
        """
        sha256: dict[str, str] = {}
        names = part_files(number)
        for folder, data in (("detections", rows.detections_parquet()), ("pictures", rows.pictures_parquet())):
            _write(self.folder / names[folder], data)
            sha256[names[folder]] = hashlib.sha256(data).hexdigest()
        return PartRecord(
            number=number,
            pictures=len(rows),
            detections=rows.detections,
            failures=rows.failures,
            unreached=rows.unreached,
            sha256=sha256,
        )

    def begin(self, job: Job) -> PartLog:
        """Writes job.json and a log of the finished parts, to which the run appends further parts.

        Raises:
            OSError: they cannot be written.
        """
        write_log(self.folder / PARTS, job.parts)
        self._write_job(job)
        return PartLog(self.folder / PARTS)

    def finish(self, job: Job) -> Job:
        """Writes both again as finished, so that the same job always ends with the same files, except for its times.

        Raises:
            OSError: they cannot be written.
        """
        write_log(self.folder / PARTS, job.parts)
        finished = job.model_copy(update={"finished": True})
        self._write_job(finished)
        (self.folder / CRASH).unlink(missing_ok=True)
        return finished

    def write_errors(self, job: Job) -> None:
        """Collects the pictures of all parts that could not be read, in errors.parquet."""
        columns = ["position", "picture", "image_id", "reason", "error"]
        pq, pa = parquet(), arrow()
        schema = pa.schema([field for field in picture_schema() if field.name in columns])

        def fill(file: Any) -> None:  # noqa: ANN401
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for part in job.parts:
                    if part.failures:
                        table = pq.read_table(self.folder / part_files(part.number)["pictures"], columns=columns)
                        failed = table.filter(arrow("pyarrow.compute").is_valid(table["error"]))
                        writer.write_table(failed.select(columns))

        write_whole(self.folder / ERRORS, fill, durable=True)

    def _write_job(self, job: Job) -> None:
        told = job.model_copy(update={"schema_version": 2}).model_dump_json(indent=1, exclude={"parts"})
        _write(self.folder / JOB, (told + "\n").encode())

    def _with_parts(self, job: Job) -> Job:
        logged = read_log(self.folder / PARTS)
        parts = {part.number: part for part in job.parts} | logged.parts
        return job.model_copy(
            update={
                "parts": [parts[number] for number in sorted(parts)],
                "seconds": max(job.seconds, logged.seconds),
                "engine_seconds": max(job.engine_seconds, logged.engine_seconds),
            }
        )

    def _listed(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []


def _write(path: Path, data: bytes) -> None:
    write_whole(path, lambda file: file.write(data), durable=True)


def _is_ours(name: str) -> bool:
    """Whether it is a temporary file of `write_whole`."""
    return (finished_name(name) or "").endswith((".parquet", ".json", ".jsonl", ".html", ".csv"))
