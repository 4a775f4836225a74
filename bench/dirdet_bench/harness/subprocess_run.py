"""Runs one planned measurement in a process of its own."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from dirdet.errors import NotFoundError, install_hint
from dirdet_bench.harness.materials import Materials
from dirdet_bench.harness.planned import EXTRAS, Planned
from dirdet_bench.harness.processes import end_session

# No measurement is begun with less time left.
LEAST_S = 5.0
# Member of a report: the share of the processors that other work had before or after the measurement, and the seconds
# that each of the two takes.
BUSY = "busy"
LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a measurement ended: "failed" has written no report, "not run" never began, and `why` says it in a line."""

    planned: Planned
    state: Literal["ran", "failed", "not run"]
    why: str
    report: Path


def run(planned: Planned, materials: Materials, folder: Path, *, left_s: float, triton: str | None) -> Outcome:
    """Runs a measurement within `left_s` seconds; its report and its log are files of its name."""
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
    busy = _busy()
    why = _ended(command, folder / f"{planned.name}.log", limit_s)
    if not why and not report.is_file():
        why = "it wrote no report"
    if not why:
        content = json.loads(report.read_text(encoding="utf-8"))
        report.write_text(json.dumps(content | {BUSY: round(max(busy, _busy()), 3)}, indent=1) + "\n", encoding="utf-8")
    return Outcome(planned, "failed" if why else "ran", why, report)


def _busy() -> float:
    return psutil.cpu_percent(interval=LOOK_S) / 100


def _missing(planned: Planned, triton: str | None) -> str:
    """What the measurement needs and is not there; empty if nothing."""
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
    """Runs a command; why it failed, empty if it did not."""
    environment = {name: value for name, value in os.environ.items() if name != "PORT"}
    began = time.monotonic()
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"ended after {time.monotonic() - began:.0f} s, its time limit"
        finally:
            end_session(process)
    if status == 0:
        return ""
    last = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return last[-1].strip().removeprefix("dirdet: ") if last else f"it ended with {status} and an empty log"
