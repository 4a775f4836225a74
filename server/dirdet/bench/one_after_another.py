"""One planned measurement as a process of its own, which may fail, miss something or take too long."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dirdet.bench.materials import Materials
from dirdet.bench.planned import EXTRAS, Planned
from dirdet.errors import NotFoundError, install_hint

# What it has started ends with it; longer than this nothing takes to end.
STOP_S = 10
# With less left nothing begins.
LEAST_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a measurement ended.

    Attributes:
        planned: what it was.
        state: "ran" has written a report, "failed" has not, "not run" never began.
        why: not, in a line; empty where it ran.
        report: its file.
    """

    planned: Planned
    state: Literal["ran", "failed", "not run"]
    why: str
    report: Path


def run(planned: Planned, materials: Materials, folder: Path, *, left_s: float, triton: str | None) -> Outcome:
    """Runs it, its report and what it says into files of its name.

    Args:
        planned: the measurement.
        materials: what it measures on.
        folder: of the files.
        left_s: seconds that all together still have.
        triton: address of a running Triton, if there is one.
    """
    report = folder / f"{planned.name}.json"
    report.unlink(missing_ok=True)
    why = _missing(planned, triton)
    limit_s = min(planned.limit_s, left_s)
    if not why and limit_s < LEAST_S:
        why = "no time was left"
    words: list[str] = []
    if not why:
        try:
            words = materials.fill(planned.arguments)
        except NotFoundError as exc:
            why = str(exc)
    if why:
        return Outcome(planned, "not run", why, report)
    if triton is not None and planned.triton:
        words += ["--triton", triton]
    command = [sys.executable, "-m", "dirdet", "bench", *words, "--json", str(report)]
    why = _ended(command, folder / f"{planned.name}.log", limit_s)
    if not why and not report.is_file():
        why = "it wrote no report"
    return Outcome(planned, "failed" if why else "ran", why, report)


def _missing(planned: Planned, triton: str | None) -> str:
    """What is not there; empty if all is."""
    if planned.triton and triton is None:
        return "no Triton was given (--triton)"
    for program in planned.programs:
        if shutil.which(program) is None:
            return f"{program} is not installed"
    for package in EXTRAS.get(planned.extra, ()):
        if importlib.util.find_spec(package) is None:
            return f"the package {package!r} is not installed: {install_hint(planned.extra)}"
    return ""


def _ended(command: Sequence[str], log: Path, limit_s: float) -> str:
    """Runs a command; why it did not succeed, empty if it did."""
    environment = {name: value for name, value in os.environ.items() if name != "PORT"}
    began = time.monotonic()
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"ended after {time.monotonic() - began:.0f} s, all that it had"
        finally:
            _end_session(process)
    if status == 0:
        return ""
    last = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return last[-1].strip().removeprefix("dirdet: ") if last else f"it ended with {status} and said nothing"


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """Ends what is left of a process and of all that it started: nothing else is in its session."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
            return
