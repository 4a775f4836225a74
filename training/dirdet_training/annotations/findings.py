"""The findings of a check: kinds of broken entries and of notes, with counts and texts."""

import dataclasses
import enum
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from dirdet.errors import counted
from dirdet.untrusted_text import one_line

Section = Literal["picture", "annotation", "category"]
Rows = npt.NDArray[np.intp]


class Kind(enum.Enum):
    """A kind of finding: its section, whether its entries are broken, and the text of its count."""

    PICTURE_RECORD = ("picture", True, "an entry without a usable id, file_name, width or height")
    DUPLICATE_PICTURE = ("picture", True, "the id of an earlier picture")
    PICTURE_ELSEWHERE = ("picture", True, "a file name outside the pictures' folder (`--pictures /` allows any)")
    MISSING_PICTURE = ("picture", True, "no picture file")
    UNREADABLE_PICTURE = ("picture", True, "a file that is no picture")
    PICTURE_SIZE = ("picture", True, "a picture file of another size than stated")

    RECORD = ("annotation", True, "an entry without a usable id, image_id, category_id, bbox, area or iscrowd")
    DUPLICATE_ANNOTATION = ("annotation", True, "the id of an earlier annotation")
    UNKNOWN_PICTURE = ("annotation", True, "a picture that the file does not have")
    UNKNOWN_CATEGORY = ("annotation", True, "a category that the file does not have")
    NOT_FINITE = ("annotation", True, "a number that is not finite")
    NO_AREA = ("annotation", True, "no area")
    OUTSIDE = ("annotation", True, "a box wholly outside its picture")
    BROKEN_PICTURE = ("annotation", True, "a broken picture")
    NO_SEGMENTATION = ("annotation", True, "no segmentation, and the config learns masks")
    UNREADABLE_SEGMENTATION = ("annotation", True, "a segmentation that is not COCO's, and the config learns masks")

    CLIPPED = ("annotation", False, "a box partly outside its picture: clipped while training")
    THIN = ("annotation", False, "a box less than a pixel wide or high: left out while training")
    IGNORED = ("annotation", False, "an `ignore` mark: left out while training")
    CROWD = ("annotation", False, "an `iscrowd` mark: neither learned nor held against the detector")
    UNUSED_CATEGORY = ("annotation", False, "a category that the config does not name: left out")
    IGNORED_SEGMENTATION = (
        "annotation",
        False,
        "a segmentation of fewer than three points, or not of the kind that the config reads: not learned",
    )
    ID_ZERO = ("annotation", False, "the id 0: pycocotools counts its object as never found")
    EMPTY_PICTURE = (
        "picture",
        False,
        "no annotation of a class: left out while training where the config says filter_empty_gt",
    )
    SAME_FILE = ("picture", False, "the file of an earlier picture")
    SMALL_PICTURE = ("picture", False, "a side below the config's min_size: left out while training")
    EMPTY_CATEGORY = ("category", False, "no annotation: a class that is never learned")

    def __init__(self, section: Section, broken: bool, text: str) -> None:
        self.section: Section = section
        self.broken = broken
        self.text = text

    @property
    def label(self) -> str:
        """The kind's name in files and options."""
        return self.name.lower().replace("_", "-")


@dataclasses.dataclass(frozen=True)
class Finding:
    """All entries of a file that belong to one kind of finding.

    Attributes:
        kind: the kind.
        rows: the places of the entries in the file's list, from 0.
        describe: returns a text on the entry at a place.
    """

    kind: Kind
    rows: Rows
    describe: Callable[[int], str]

    def __iter__(self) -> Iterator[str]:
        return (self.describe(int(row)) for row in self.rows)


@dataclasses.dataclass(frozen=True)
class Report:
    """The findings of a check of one file; no entry is in two broken kinds.

    Attributes:
        path: the file.
        pictures, annotations: their numbers in the file.
        findings: the findings with at least one entry.
        used: the numbers of pictures and objects that are learned from.
        order: the rows of the file's categories in the config's order, if that is another order than the file's.
    """

    path: Path
    pictures: int
    annotations: int
    findings: tuple[Finding, ...]
    used: tuple[int, int]
    order: tuple[int, ...] | None = None

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings for which the file is refused."""
        return tuple(finding for finding in self.findings if finding.kind.broken)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings on valid entries."""
        return tuple(finding for finding in self.findings if not finding.kind.broken)

    def count(self, section: Section) -> int:
        """Returns the number of broken entries of a section."""
        return sum(len(finding.rows) for finding in self.broken if finding.kind.section == section)

    def rows(self, section: Section) -> Rows:
        """Returns the places of a section's broken entries, sorted."""
        parts = [finding.rows for finding in self.broken if finding.kind.section == section]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.intp)


def lines(findings: tuple[Finding, ...], *, shown: int) -> list[str]:
    """Formats the count of each kind, followed by texts on its first few entries."""
    text: list[str] = []
    for finding in findings:
        number = len(finding.rows)
        text.append(f"  {counted(number, finding.kind.section)} with {finding.kind.text}")
        text += [f"    {one_line(finding.describe(int(row)))}" for row in finding.rows[:shown]]
        if shown and number > shown:
            text.append(f"    and {number - shown:,} more")
    return text


def summary(report: Report, *, shown: int = 3, shown_notes: int = 0) -> str:
    """Formats a report: the totals, each kind with its count, and the first few entries of each kind."""
    pictures = f"{report.count('picture'):,} of {counted(report.pictures, 'picture')}"
    annotations = f"{report.count('annotation'):,} of {counted(report.annotations, 'annotation')}"
    head = f"{report.path}: {pictures} and {annotations} broken"
    used = f"  learned from: {counted(report.used[0], 'picture')}, {counted(report.used[1], 'object')}"
    notes = [used, *lines(report.notes, shown=shown_notes)] if shown_notes else lines(report.notes, shown=0)
    return "\n".join([head, *lines(report.broken, shown=shown), *notes])
