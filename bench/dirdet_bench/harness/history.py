"""One line for each commit that was measured, and what became worse since the one before."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dirdet.errors import ParameterError

# Of a row: its figure and the half of the rounds around it, and whether a larger one is better.
Figure = Mapping[str, Any]


def figures_of(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """The figures of a report's rows that have a goal, by the measurement's name and theirs."""
    found: dict[str, Figure] = {}
    for row in rows:
        spread = row["ratio"] or row
        if row["goal"] and spread["median"] is not None:
            key = " ".join(word for word in (f"{name}:", row["group"], row["name"]) if word)
            found[key] = {each: spread[each] for each in ("median", "low", "high")} | {
                "larger": "at_least" in row["goal"]
            }
    return found


def record(path: Path, figures: Mapping[str, Figure], machine: Mapping[str, Any]) -> list[str]:
    """Writes the line of this commit, in place of an earlier one on such a machine.

    Args:
        path: a file of JSON lines, or a new one.
        figures: see `figures_of`.
        machine: has "processor" and "cores".

    Returns:
        Sentences: what became worse since the last other commit on such a machine.

    Raises:
        ParameterError: the file has another content.
    """
    on = {"processor": machine["processor"], "cores": machine["cores"]}
    line = {"commit": _commit(), "date": datetime.now(UTC).date().isoformat(), **on, "figures": figures}
    lines = [each for each in _read(path) if any(each.get(key) != line[key] for key in ("commit", *on))]
    before = [each for each in lines if all(each.get(key) == value for key, value in on.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in [*lines, line]), encoding="utf-8")
    return worse(before[-1], line) if before else []


def worse(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Sentences about figures that are worse by more than both intervals."""
    said: list[str] = []
    for name, found in now["figures"].items():
        other = before["figures"].get(name)
        if other is None:
            continue
        fell = found["high"] < other["low"] if found["larger"] else found["low"] > other["high"]
        if fell:
            said.append(f"{name}: {found['median']:g}, which was {other['median']:g} at {before['commit']}")
    return said


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        whole = all({"commit", "figures"} <= set(each) for each in lines)
    except (ValueError, TypeError) as exc:
        raise ParameterError("--history", f"{path} is no history that `dirdet bench all` wrote: {exc}") from exc
    if not whole:
        raise ParameterError("--history", f"{path} is no history that `dirdet bench all` wrote")
    return lines


def _commit() -> str:
    """Of the clone in this folder, with a "+" where files differ from it; "unknown" outside of one."""
    try:
        said = [
            subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "--short=10", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said[0] + ("+" if said[1] else "")
