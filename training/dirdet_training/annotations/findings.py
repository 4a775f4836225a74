"""What a check found: kinds of breakage and of things worth knowing, counted and named."""

import dataclasses
import enum
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Section = Literal["picture", "annotation"]
Rows = npt.NDArray[np.intp]


class Kind(enum.Enum):
    """A kind of finding: its section, whether it is broken, and what its counts say."""

    PICTURE_RECORD = ("picture", True, "an entry without a usable id, file_name, width or height")
    DUPLICATE_PICTURE = ("picture", True, "the id of an earlier picture")
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

    CLIPPED = ("annotation", False, "a box partly outside its picture: clipped while training")
    THIN = ("annotation", False, "a box less than a pixel wide or high: left out while training")
    IGNORED = ("annotation", False, "an `ignore` mark: left out while training")
    CROWD = ("annotation", False, "an `iscrowd` mark: neither learned nor held against the detector")
    UNUSED_CATEGORY = ("annotation", False, "a category that the config does not name: left out")
    ID_ZERO = ("annotation", False, "the id 0: pycocotools counts its object as never found")
    EMPTY_PICTURE = (
        "picture",
        False,
        "no annotation of a class: left out while training where the config says filter_empty_gt",
    )
    SMALL_PICTURE = ("picture", False, "a side below the config's min_size: left out while training")

    def __init__(self, section: Section, broken: bool, text: str) -> None:
        """Unpacks a member."""
        self.section: Section = section
        self.broken = broken
        self.text = text

    @property
    def label(self) -> str:
        """The kind's name as files and options write it."""
        return self.name.lower().replace("_", "-")


@dataclasses.dataclass(frozen=True)
class Finding:
    """All entries of a file that one kind of finding names.

    Attributes:
        kind: what they are.
        rows: their places in the file's list, from 0.
        describe: says in words what the entry at a place is and has.
    """

    kind: Kind
    rows: Rows
    describe: Callable[[int], str]

    def __iter__(self) -> Iterator[str]:
        """The words for each entry."""
        return (self.describe(int(row)) for row in self.rows)


@dataclasses.dataclass(frozen=True)
class Report:
    """What a check of one file found; no entry is in two broken kinds.

    Attributes:
        path: the file.
        pictures, annotations: how many it has.
        findings: those with at least one entry.
    """

    path: Path
    pictures: int
    annotations: int
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings that refuse the file."""
        return tuple(finding for finding in self.findings if finding.kind.broken)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are legitimate and worth knowing."""
        return tuple(finding for finding in self.findings if not finding.kind.broken)

    def count(self, section: Section) -> int:
        """How many entries of a section are broken."""
        return sum(len(finding.rows) for finding in self.broken if finding.kind.section == section)

    def rows(self, section: Section) -> Rows:
        """The places of a section's broken entries, sorted."""
        parts = [finding.rows for finding in self.broken if finding.kind.section == section]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.intp)


def counted(number: int, section: Section) -> str:
    """'1 picture', '2 annotations'."""
    return f"{number:,} {section}{'' if number == 1 else 's'}"


def lines(findings: tuple[Finding, ...], *, shown: int) -> list[str]:
    """The count of each kind, and under it the first few entries in words."""
    text: list[str] = []
    for finding in findings:
        number = len(finding.rows)
        text.append(f"  {counted(number, finding.kind.section)} with {finding.kind.text}")
        text += [f"    {finding.describe(int(row))}" for row in finding.rows[:shown]]
        if shown and number > shown:
            text.append(f"    and {number - shown:,} more")
    return text


def summary(report: Report, *, shown: int = 3, shown_notes: int = 0) -> str:
    """A report in words: the totals, each kind with its count, and the first few of each kind."""
    pictures = f"{report.count('picture'):,} of {counted(report.pictures, 'picture')}"
    annotations = f"{report.count('annotation'):,} of {counted(report.annotations, 'annotation')}"
    head = f"{report.path}: {pictures} and {annotations} broken"
    return "\n".join([head, *lines(report.broken, shown=shown), *lines(report.notes, shown=shown_notes)])
