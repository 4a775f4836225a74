"""The folder of a job's results: one writer, files whole or absent, and what of an earlier run still counts."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.errors import OutputError
from dirdet.batch.job import JOB, Job, PartTold
from dirdet.batch.part_log import PARTS, PartLog, read_log, write_log
from dirdet.batch.rows import PartRows, picture_schema
from dirdet.batch.stopping import CRASH
from dirdet.bundle import sha256_of
from dirdet.faults import first_fault
from dirdet.files import write_whole

PLAN = "sources.parquet"
NEW_PLAN = "sources.new.parquet"
ERRORS = "errors.parquet"
LOCK = ".lock"
FOLDERS = ("detections", "pictures")


def part_files(number: int) -> dict[str, str]:
    """A part's files by their folder; the numbers sort as text."""
    return {folder: f"{folder}/part-{number:06d}.parquet" for folder in FOLDERS}


class Output:
    """See the module.

    Attributes:
        folder: of the results.
    """

    def __init__(self, folder: Path) -> None:
        """Touches nothing yet."""
        self.folder = folder

    @property
    def plan(self) -> Path:
        """Where the plan is."""
        return self.folder / PLAN

    @property
    def new_plan(self) -> Path:
        """Where it is until it is known to be the job's."""
        return self.folder / NEW_PLAN

    def complete(self, job: Job) -> bool:
        """Whether nothing is left to do."""
        return job.finished and (self.folder / ERRORS).is_file()

    def read_job(self) -> Job | None:
        """The job whose results are here; None where there are none.

        Raises:
            OutputError: there is something else, or a job.json that cannot be read.
        """
        path = self.folder / JOB
        try:
            return self._with_parts(Job.model_validate_json(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError) as exc:
            if self.folder.exists() and not self.folder.is_dir():
                raise OutputError(f"{self.folder} is a file; expected a folder for the results") from exc
        except ValidationError as exc:
            raise OutputError(f"{path}: is not this dirdet's: {first_fault(exc)}") from exc
        ours = {PLAN, NEW_PLAN, LOCK, PARTS, CRASH, *FOLDERS}
        foreign = sorted(each.name for each in self._listed() if each.name not in ours and not _is_ours(each.name))
        if foreign:
            raise OutputError(f"{self.folder} holds {foreign[0]} and no {JOB}: results go into an empty folder")
        return None

    @contextmanager
    def locked(self) -> Generator[None]:
        """Keeps other jobs out until it is left; the system frees it when the process ends, however it ends.

        Raises:
            OutputError: another job writes here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("w") as file:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ModuleNotFoundError:  # Windows has no flock: there, two jobs at once are not told apart
                pass
            except BlockingIOError as exc:
                raise OutputError(f"{self.folder}: another job is writing its results here") from exc
            yield

    def sweep(self) -> None:
        """Removes what a killed run left half-written."""
        for folder in (self.folder, *(self.folder / name for name in FOLDERS)):
            if folder.is_dir():
                for each in folder.iterdir():
                    if _is_ours(each.name):
                        each.unlink(missing_ok=True)

    def sound(self, part: PartTold) -> bool:
        """Whether a part's files are those that its line in parts.jsonl names."""
        paths = {self.folder / name: expected for name, expected in part.sha256.items()}
        return all(path.is_file() and sha256_of(path) == expected for path, expected in paths.items())

    def write_part(self, number: int, rows: PartRows) -> PartTold:
        """Writes a part's files.

        Raises:
            OSError: it cannot be written.
        """
        sha256: dict[str, str] = {}
        names = part_files(number)
        for folder, data in (("detections", rows.detections_parquet()), ("pictures", rows.pictures_parquet())):
            _write(self.folder / names[folder], data)
            sha256[names[folder]] = hashlib.sha256(data).hexdigest()
        return PartTold(
            number=number,
            pictures=len(rows),
            detections=rows.detections,
            failures=rows.failures,
            unreached=rows.unreached,
            sha256=sha256,
        )

    def begin(self, job: Job) -> PartLog:
        """Writes job.json and a log of the job's parts, to which those to come are added.

        Raises:
            OSError: they cannot be written.
        """
        write_log(self.folder / PARTS, job.parts)
        self._write_job(job)
        return PartLog(self.folder / PARTS)

    def finish(self, job: Job) -> Job:
        """Writes both anew, as finished: the same job then has the same files, but for the times it took.

        Raises:
            OSError: it cannot be written.
        """
        write_log(self.folder / PARTS, job.parts)
        finished = job.model_copy(update={"finished": True})
        self._write_job(finished)
        (self.folder / CRASH).unlink(missing_ok=True)
        return finished

    def write_errors(self, job: Job) -> None:
        """Gathers the pictures that could not be read, of all parts, in errors.parquet."""
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
    """A file that `write_whole` had not finished."""
    body, _, pid = name.rpartition(".")
    return name.startswith(".") and pid.isdecimal() and body.endswith((".parquet", ".json", ".jsonl", ".html"))
