"""What the tests of jobs share: `dirdet batch` in a process of its own, and its results read back."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import Result
from waiting import until

from dirdet.batch.arrow import parquet
from dirdet.batch.engines.bundled import EmbeddedJobEngine
from dirdet.batch.filter_conditions import read_condition
from dirdet.batch.job_record import Job
from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.source import SourceOptions
from dirdet.batch.output_folder import Output
from dirdet.batch.outputs.context import Written
from dirdet.batch.outputs.request import OutputsRequest
from dirdet.batch.outputs.write import write_outputs
from dirdet.batch.picture_plan import Choice
from dirdet.batch.run_job import JobRequest, run_job
from dirdet.bundle.bundle import MANIFEST, Bundle, Manifest
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions

# Pictures of the fixture `many`, and of a part in the tests that stop jobs.
MANY, PART = 36, 7

# Where a picture is may be told otherwise; a report tells the times that a job took.
UNCOMPARED = ("sources.parquet", "report.html")

Run = Callable[..., Result]

RENAMING = """
import os, signal
from pathlib import Path
plain, calls = Path.replace, [0]
def replace(path, target):
    if not Path(target).match({name!r}):
        return plain(path, target)
    calls[0] += 1
    if calls[0] != {call}:
        return plain(path, target)
    renamed = plain(path, target) if {after} else None
    os.kill(os.getpid(), signal.{sent})
    return renamed
Path.replace = replace
"""


def signalled(sent: signal.Signals, name: str, *, call: int = 1, after: bool = True) -> str:
    """`before` of a process that sends itself a signal when a file gets its name for the n-th time, or just before."""
    return RENAMING.format(name=name, call=call, after=after, sent=sent.name)


def at_a_part(sent: signal.Signals) -> str:
    """`before` of a process that sends itself a signal once its first part is kept."""
    return signalled(sent, "pictures/part-000000.parquet")


def spawn(*arguments: object, before: str = "") -> "subprocess.Popen[str]":
    """Runs `dirdet batch` in a process of its own, some Python before it."""
    code = f"{before}\nfrom dirdet.cli import main\nimport sys\nmain(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", code, "batch", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
    )


def spawn_paused(*arguments: object) -> "subprocess.Popen[str]":
    """Runs `dirdet batch` until its first part is kept: the process is stopped then, and goes on by SIGCONT.

    One request is in flight at a time, so that a job of six parts or more can't have sent its last one.
    """
    process = spawn(*arguments, "--in-flight", 1, before=at_a_part(signal.SIGSTOP))
    until(lambda: os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG))
    assert process.poll() is None, process.communicate()
    return process


def job_arguments(many: Path, out: Path) -> list[object]:
    return [many, "--out", out, "--part", PART, "--no-report"]


def contents(out: Path) -> dict[str, str]:
    """Every file of a job's results by its hash; of job.json without the times that it took."""
    hashes: dict[str, str] = {}
    for path in sorted(each for each in out.rglob("*") if each.is_file() and each.name not in UNCOMPARED):
        data = path.read_bytes()
        if path.name == "job.json":
            told = json.loads(data)
            data = json.dumps({key: told[key] for key in told if not key.endswith("seconds")}).encode()
        hashes[path.relative_to(out).as_posix()] = hashlib.sha256(data).hexdigest()
    return hashes


def rows(out: Path, folder: str) -> list[dict[str, Any]]:
    """All rows of `pictures`, `detections`."""
    parts = sorted((out / folder).glob("*.parquet"))
    return [row for part in parts for row in parquet().read_table(part).to_pylist()]


def errors(out: Path) -> dict[str, tuple[str, str]]:
    """Reason and error of each picture that could not be read."""
    table = parquet().read_table(out / "errors.parquet").to_pylist()
    return {row["picture"]: (row["reason"], row["error"]) for row in table}


class RectangleJob(NamedTuple):
    """A finished job of the detector of rectangles."""

    out: Path
    job: Job
    manifest: Manifest

    def request(self, *, keep: str | None = None, review: str | None = None, **asked: Any) -> OutputsRequest:
        """Takes conditions as text, and what `OutputsRequest` has."""
        conditions = {"keep": keep, "review": review}
        parsed = {
            name: read_condition(text, self.manifest, parameter=name)
            for name, text in conditions.items()
            if text is not None
        }
        return OutputsRequest(quiet=True, **parsed, **asked)

    def write(self, **asked: Any) -> dict[str, Written]:
        """Writes formats, of a `request`."""
        return write_outputs(self.out, self.job, self.manifest, self.request(**asked))


def rectangle_job(source: Path | str, out: Path, detector: Detector) -> RectangleJob:
    """Runs a job, two pictures a part."""
    folder = out.parent / "bundle"
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).write_text(detector.manifest.model_dump_json())
    engine = EmbeddedJobEngine(Bundle(folder, detector.manifest))
    engine._loaded = detector  # pyright: ignore[reportPrivateUsage]
    found = open_source(str(source), SourceOptions(besides=out))
    request = JobRequest(found, str(source), Choice(), part_pictures=2, workers=2, quiet=True)
    settings = detector.settle(DetectOptions.checked())
    done = run_job(request, Output(out), engine=engine, settings=settings)
    return RectangleJob(out, done.job, detector.manifest)
