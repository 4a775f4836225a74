"""Lists the frames of a video as entries; a video as a source."""

import os
from collections.abc import Iterator
from pathlib import Path

from dirdet.batch.errors import SourceError
from dirdet.batch.listing.source import Tally
from dirdet.batch.remote import open_file
from dirdet.batch.source_picture import Entry, entry_name
from dirdet.batch.video.opening import VIDEO_SUFFIXES
from dirdet.batch.video.probe import probe
from dirdet.batch.video.timeline import FrameRate, selected
from dirdet.errors import PictureError, UnreachedError


def is_video(name: str | bytes) -> bool:
    """Whether a file has a video's suffix."""
    return os.path.splitext(os.fsdecode(name))[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - names of any kind


def video_entries(name: str, path: bytes, size: int | None, rate: FrameRate) -> Iterator[Entry]:
    """The selected frames, named `NAME@12.400s`; an entry with a fault stands for what cannot be read.

    Raises:
        SourceError: its address does not answer.
        MissingExtraError: PyAV is not installed.
    """
    try:
        with open_file(path) as file:
            timeline = probe(file)
    except UnreachedError as exc:
        raise SourceError(f"{name}: {exc}") from exc
    except PictureError as exc:
        yield Entry(name, path, size=size, fault=str(exc))
        return
    except OSError as exc:
        yield Entry(name, path, size=size, fault=f"the video cannot be opened: {exc.strerror or exc}")
        return
    before = called = ""
    for pts, seconds in selected(timeline, rate):
        called = f"{name}@{float(seconds):.3f}s"
        if called == before:  # Several frames in one millisecond.
            called = f"{name}@{float(seconds):.6f}s"
        else:
            before = called
        yield Entry(called, path, size=size, frame=pts)
    if timeline.fault is not None:
        yield Entry(name, path, size=size, fault=f"after {called}: {timeline.fault}")


class VideoSource:
    kind = "video"

    def __init__(self, path: Path, rate: FrameRate) -> None:
        self._path, self._rate = path, rate

    def entries(self, tally: Tally) -> Iterator[Entry]:  # noqa: ARG002 - nothing of a video is passed over
        return video_entries(
            entry_name(self._path.name), os.fsencode(self._path), self._path.stat().st_size, self._rate
        )
