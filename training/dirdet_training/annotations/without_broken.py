"""Writes a copy of a COCO file that MMDetection reads, without broken entries, and a list of those entries."""

import csv
import io
from pathlib import Path
from typing import Any

import msgspec

from dirdet.files import write_whole
from dirdet.untrusted_text import cells
from dirdet_training.annotations.findings import Report, Rows
from dirdet_training.annotations.records import read_whole


def without_broken(content: dict[str, Any], report: Report) -> dict[str, Any]:
    """Returns a file's content without the broken entries of its report, its categories in the config's order."""
    categories = content["categories"]
    return {
        **content,
        "categories": categories if report.order is None else [categories[row] for row in report.order],
        "images": _without(content["images"], report.rows("picture")),
        "annotations": _without(content["annotations"], report.rows("annotation")),
    }


def _without(entries: list[Any], rows: Rows) -> list[Any]:
    broken = set(rows.tolist())
    return [entry for row, entry in enumerate(entries) if row not in broken]


def write_copy(report: Report, *, copy: Path, skipped: Path) -> None:
    """Writes the copy (COCO JSON) and, if entries are broken, a list of these (CSV: kind, section, place, text).

    Both are written atomically, so that several processes may write the same files.
    """
    content = without_broken(read_whole(report.path), report)
    write_whole(copy, lambda file: file.write(msgspec.json.encode(content)))
    if report.broken:
        write_whole(skipped, lambda file: file.write(csv_text(report).encode()))


def csv_text(report: Report) -> str:
    """Formats one line for each broken entry, after a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "section", "place", "what"])
    for finding in report.broken:
        for row in finding.rows.tolist():
            writer.writerow(cells([finding.kind.label, finding.kind.section, row, finding.describe(row)]))
    return text.getvalue()
