"""Converts results to CSV with a row for each detection."""

import csv
from collections.abc import Iterable
from typing import IO

from dirdet.convert.image_result import ImageResult
from dirdet.detection.rows import COLUMNS, to_rows
from dirdet.untrusted_text import cell, cells

HEADING = ("name", "error", *(column.name for column in COLUMNS if column.name != "mask"))


def to_csv(results: Iterable[ImageResult], file: IO[str]) -> None:
    """Writes a heading and the rows; masks are left out.

    A picture without detections has no row; a picture that could not be read has a row with its error. Names that a
    spreadsheet would take for a formula get an apostrophe in front.

    Args:
        results: of any pictures; an iterator is written as it yields.
        file: opened as text with newline="".
    """
    table = csv.DictWriter(file, HEADING, extrasaction="ignore")
    table.writeheader()
    for result in results:
        if result.error is not None:
            table.writerow({"name": cell(result.name), "error": cell(str(result.error))})
        for each in to_rows(result.detections):
            row = {"name": result.name, **each}
            table.writerow(dict(zip(row, cells(row.values()), strict=True)))
