"""Pictures that could not be read, by reason, with a few of each."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dirdet.batch.arrow import parquet

EXAMPLES = 5


@dataclass
class Failures:
    """What failed.

    Attributes:
        counts: by reason.
        examples: of each reason, the first pictures with their errors.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])


def read_failures(path: Path) -> Failures:
    """Reads errors.parquet, some thousands of rows at a time."""
    found = Failures()
    with parquet().ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["picture", "reason", "error"]):
            for picture, reason, error in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found.counts[reason] += 1
                if found.counts[reason] <= EXAMPLES:
                    found.examples.setdefault(reason, []).append((picture, error))
    return found
