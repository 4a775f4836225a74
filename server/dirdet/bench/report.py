"""A measurement for people and for a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import numpy as np

from dirdet.bench.turns import Ratio, ratio
from dirdet.files import write_whole


def compared(seconds: Mapping[str, Sequence[float]], against: str) -> dict[str, Ratio]:
    """Every run's ratio to one of them."""
    return {name: ratio(taken, seconds[against]) for name, taken in seconds.items()}


def table(seconds: Mapping[str, Sequence[float]], against: str) -> str:
    """Markdown: each run's median time and its ratio to one of them, with the quartiles of the rounds' ratios."""
    lines = [f"| | time | against {against} | half of the rounds within |", "|---|---|---|---|"]
    for name, found in compared(seconds, against).items():
        spread = f"{found.low:.3f} to {found.high:.3f}"
        lines.append(f"| {name} | {_time(median(seconds[name]))} | {found.median:.3f} | {spread} |")
    return "\n".join(lines)


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds that half, 95 and 99 of a hundred requests took at most."""
    return {f"p{each}": round(1000 * float(np.percentile(seconds, each)), 3) for each in (50, 95, 99)}


def latency_table(seconds: Mapping[str, Sequence[float]]) -> str:
    """Markdown: the percentiles of each run's requests."""
    rows = {name: percentiles_ms(taken) for name, taken in seconds.items()}
    lines = ["| a request | p50 | p95 | p99 |", "|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(f'{each:.2f} ms' for each in row.values())} |" for name, row in rows.items()]
    return "\n".join(lines)


def written(
    path: Path, *, what: str, seconds: Mapping[str, Sequence[float]], against: str, facts: Mapping[str, object]
) -> None:
    """Writes all times, the ratios and the facts beside them as JSON, whole or not at all."""
    content = {
        "what": what,
        **facts,
        "against": against,
        "ratios": {name: asdict(found) for name, found in compared(seconds, against).items()},
        "seconds": seconds,
    }
    write_whole(path, lambda file: file.write((json.dumps(content, indent=1) + "\n").encode()))


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"
