"""Counts the source: lines of Python by part, with what each part may have, and how long modules are.

    python tools/line_count.py

Every line of a file counts, also comments and empty ones. Modules are all files but `__init__.py` and the settings in
`configs/`.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 400
MEDIAN = (80, 200)


@dataclass(frozen=True)
class Part:
    """Folders that are counted together.

    Attributes:
        folders: below the repository's root.
        most_lines: that they may have, if that is bounded.
    """

    folders: tuple[str, ...]
    most_lines: int | None = None


PARTS = (
    Part(("server",)),
    Part(("training",)),
    Part(("export",)),
    Part(("server", "training", "export"), 36_000),
    Part(("bench",), 5_500),
    Part(("tests",)),
)
PRODUCT = ("server", "training", "export", "bench")


def lines(root: Path, folders: tuple[str, ...]) -> dict[str, int]:
    """The number of lines of each Python file, by its path below the root."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return {str(path.relative_to(root)): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}


def report(root: Path) -> Iterator[str]:
    """What is printed, line by line."""
    for part in PARTS:
        total = sum(lines(root, part.folders).values())
        goal = "" if part.most_lines is None else f"  at most {part.most_lines:,}"
        over = part.most_lines is not None and total > part.most_lines
        yield f"{' + '.join(part.folders):28}{total:>8,}{goal}{'  MISSED' if over else ''}"
    modules = {
        path: length
        for path, length in lines(root, PRODUCT).items()
        if not path.endswith("/__init__.py") and "/configs/" not in path
    }
    median = statistics.median(modules.values()) if modules else 0
    missed = "" if MEDIAN[0] <= median <= MEDIAN[1] else "  MISSED"
    yield f"median of {len(modules):,} modules outside tests: {median:g}  {MEDIAN[0]} to {MEDIAN[1]}{missed}"
    long = {path: length for path, length in modules.items() if length > LONGEST}
    yield f"modules of more than {LONGEST} lines: {len(long)}{'  MISSED' if long else ''}"
    yield from (f"{length:>8,} {path}" for path, length in sorted(long.items(), key=lambda each: -each[1]))


if __name__ == "__main__":
    print("\n".join(report(ROOT)))
