"""Results as a table: a row for each detection, in CSV."""

import csv
from collections.abc import Iterable
from typing import IO

from dirdet.client.results import ImageResult
from dirdet.convert.common import FIGURES

COLUMNS = ("name", "error", "label", "class_id", "category_id", "x1", "y1", "x2", "y2", *FIGURES)


def to_csv(results: Iterable[ImageResult], file: IO[str]) -> None:
    """Writes the rows after their heading; masks are left out.

    A picture without detections has no row, one that could not be read a row with its error.

    Args:
        results: of any pictures; an iterator is written as it gives.
        file: opened as text with newline="".
    """
    table = csv.writer(file)
    table.writerow(COLUMNS)
    for result in results:
        if result.error is not None:
            table.writerow([result.name, str(result.error), *[""] * (len(COLUMNS) - 2)])
        for each in result:
            told = each.to_json()
            row = {"name": result.name, **told, **dict(zip(("x1", "y1", "x2", "y2"), told["box"], strict=True))}
            table.writerow([row.get(column) for column in COLUMNS])
