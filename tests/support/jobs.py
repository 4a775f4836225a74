"""What the tests of jobs share: `dirdet batch` in a process of its own, and its results read back."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from dirdet.batch.arrow import parquet

# Pictures of the fixture `many`, and of a part in the tests that stop jobs.
MANY, PART = 36, 7

# Where a picture is may be told otherwise; a report tells the times that a job took.
UNCOMPARED = ("sources.parquet", "report.html")

Run = Callable[..., Result]


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
