"""Leaves broken entries out of a COCO file: a copy without them, and a list of what was left out."""

import csv
import io
from pathlib import Path
from typing import Any

import msgspec

from dirdet.files import write_whole
from dirdet_training.annotations.findings import Report, Rows
from dirdet_training.annotations.records import read_whole


def without_broken(content: dict[str, Any], report: Report) -> dict[str, Any]:
    """A file's content without the broken pictures and annotations of its report; the rest stays as it is."""
    return {
        **content,
        "images": _without(content["images"], report.rows("picture")),
        "annotations": _without(content["annotations"], report.rows("annotation")),
    }


def _without(entries: list[Any], rows: Rows) -> list[Any]:
    broken = set(rows.tolist())
    return [entry for row, entry in enumerate(entries) if row not in broken]


def write_skipped(report: Report, *, copy: Path, skipped: Path) -> None:
    """Writes the copy without broken entries (COCO JSON) and what it lacks (CSV: kind, section, place, words).

    Both appear whole or not at all, so that several processes may write the same.
    """
    content = without_broken(read_whole(report.path), report)
    write_whole(copy, lambda file: file.write(msgspec.json.encode(content)))

    write_whole(skipped, lambda file: file.write(csv_text(report).encode()))


def csv_text(report: Report) -> str:
    """One line for each broken entry, under a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "section", "place", "what"])
    for finding in report.broken:
        for row in finding.rows.tolist():
            writer.writerow([finding.kind.label, finding.kind.section, row, finding.describe(row)])
    return text.getvalue()
