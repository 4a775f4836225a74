"""Tries many configs, a process for each; what was tried is kept, so that a campaign can be stopped and resumed."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from dirdet.errors import DirdetError
from dirdet.files import write_whole
from dirdet_export.coverage.listing import config_folder
from dirdet_export.coverage.outcome import Outcome

# What was tried of dirdet as it is.
OUTCOMES = Path(__file__).with_name("outcomes.json")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a trial: its time, and its memory in gigabytes."""

    time_s: float
    memory_gb: float


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """Outcomes by config; none if there is no such file.

    Raises:
        DirdetError: the file is broken.
    """
    if not path.is_file():
        return {}
    try:
        rows = [Outcome(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as exc:
        raise DirdetError(f"{path} holds no outcomes of trials: {exc}") from exc
    return {row.config: row for row in rows}


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Writes outcomes by name of the config, one to a line."""
    rows = sorted(outcomes, key=lambda outcome: outcome.config)
    # Most configs import nothing of their own.
    fields = ({name: value for name, value in asdict(row).items() if value != ""} for row in rows)
    lines = ",\n".join(map(json.dumps, fields))
    write_whole(path, lambda file: file.write(f"[\n{lines}\n]\n".encode()))


def try_configs(names: Iterable[str], results: Path, *, limits: Limits | None, say: Callable[[Outcome], None]) -> None:
    """Tries configs one after another and adds each outcome to a file.

    Args:
        names: of the configs.
        results: JSON file of outcomes, which may have some already.
        limits: of each trial; None only builds and reads the detectors, in this process.
        say: is called with each outcome.
    """
    for name in names:
        outcome = _read_here(name) if limits is None else _try_apart(name, limits)
        # Read again: another process may have written outcomes meanwhile.
        write_outcomes(results, {**read_outcomes(results), name: outcome}.values())
        say(outcome)


def _read_here(name: str) -> Outcome:
    from dirdet_export.coverage.trial import read_config_only

    return read_config_only(name, config_folder() / f"{name}.py")


def _try_apart(name: str, limits: Limits) -> Outcome:
    path = config_folder() / f"{name}.py"
    command = [sys.executable, "-m", "dirdet_export.coverage.worker", name, str(path), str(limits.memory_gb)]
    failed = Outcome(name, "not tried", "not tried", 0, broken=True, seconds=limits.time_s)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limits.time_s, check=False)
    except subprocess.TimeoutExpired:
        return failed.because(f"the trial took longer than {limits.time_s:g} s")
    try:
        return Outcome(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        return failed.because(f"the trial's process ended with {done.returncode}, saying: {last[:200]}")
