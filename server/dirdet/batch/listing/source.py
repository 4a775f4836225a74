"""The interface of a source of pictures, its options, and the counts of its listing."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dirdet.batch.listing.places import Place
from dirdet.batch.source_picture import Entry
from dirdet.batch.video.opening import VIDEO_SUFFIXES
from dirdet.batch.video.timeline import FrameRate
from dirdet.errors import counted, shown


@dataclass
class Tally:
    """Counts of a listing.

    Attributes:
        passed_over: files without a picture's suffix.
        videos: those of them with a video's suffix.
        repeated: duplicate names, or symbolic links to listed pictures.
        first_repeated: the first of them, with its id if the source has ids.
    """

    passed_over: int = 0
    videos: int = 0
    repeated: int = 0
    first_repeated: str | None = None

    def repeat(self, name: str | bytes) -> None:
        """Counts a duplicate name or a link to a listed picture."""
        self.repeated += 1
        self.first_repeated = self.first_repeated or os.fsdecode(name)

    def pass_over(self, name: str | bytes) -> None:
        """Counts a file without a picture's suffix."""
        self.passed_over += 1
        self.videos += os.path.splitext(os.fsdecode(name))[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - bytes too

    def left_out(self) -> list[str]:
        """What was left out, one text for each kind."""
        return left_out(self)


class Counts(Protocol):
    """What `Tally` counts, also as a job's record has it."""

    @property
    def passed_over(self) -> int: ...
    @property
    def videos(self) -> int: ...
    @property
    def repeated(self) -> int: ...
    @property
    def first_repeated(self) -> str | None: ...


def left_out(counts: Counts) -> list[str]:
    """What a listing left out, one text for each kind of `Tally`."""
    others = counts.passed_over - counts.videos
    texts = [f"{counted(counts.videos, 'video')}: --fps takes frames"] if counts.videos else []
    texts += [f"{counted(others, 'file')} skipped: no picture's suffix"] if others else []
    if counts.repeated:
        first = "" if counts.first_repeated is None else f", the first {shown(counts.first_repeated)}"
        texts.append(f"{counted(counts.repeated, 'repeat')} of a name or a link left out{first}")
    return texts


class Source(Protocol):
    """Pictures in an order that is the same for every listing."""

    @property
    def kind(self) -> str:
        """The kind of source, in a word."""
        ...

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """Lists the pictures under unique names, and counts those left out.

        Raises:
            SourceError: the source as a whole cannot be read.
        """
        ...


@dataclass(frozen=True)
class SourceOptions:
    """How a source is read.

    Attributes:
        column: column of a table with the pictures' names.
        pictures: folder or address that the names of a list, table or COCO file are relative to; None takes the file's
            own.
        all_files: in folders and archives, include files without a picture's suffix.
        besides: a folder to leave out: that of the results.
        videos: selection of videos' frames; None takes every frame of named videos, and no video in folders.
    """

    column: str | None = None
    pictures: Place | None = None
    all_files: bool = False
    besides: Path | None = None
    videos: FrameRate | None = None
