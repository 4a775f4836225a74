"""Lists a video's frames by its packets' timestamps, and selects frames by a rate; decodes nothing."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any

import numpy as np

from dirdet.batch.video.opening import open_video, video_errors
from dirdet.errors import BrokenPictureError, ParameterError

# FFmpeg's first names of the containers whose header states their duration.
HEADED = frozenset({"mov", "matroska"})

# Most frames of one video: 77 hours at 30 per second.
MOST_FRAMES = 2**23


@dataclass(frozen=True, slots=True)
class FrameRate:
    """Frames to take from each second; None takes every frame."""

    per_second: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A video's frames.

    Attributes:
        pts: presentation timestamps, rising, 64 bits, in units of `time_base` seconds.
        time_base: seconds in one unit of `pts`.
        fault: why the listing ended early; None if it reached the video's end.
    """

    pts: "array[int]"
    time_base: Fraction
    fault: str | None = None


def parse_rate(text: str) -> FrameRate:
    """Parses `--fps`.

    Raises:
        ParameterError: it is neither a number above 0 nor `all`.
    """
    if text == "all":
        return FrameRate()
    try:
        per_second = Fraction(text)
    except (ValueError, ZeroDivisionError) as exc:
        raise ParameterError("fps", f"expected a number, or all, got {text!r}") from exc
    if not 0 < per_second <= 1000:
        raise ParameterError("fps", f"expected more than 0 and at most 1000, got {text}")
    return FrameRate(per_second)


def timeline_of(file: IO[bytes]) -> Timeline:
    """Lists a video's frames; a truncated video gives the frames before its fault.

    Raises:
        PictureError: it has none.
        MissingExtraError: PyAV is not installed.
    """
    found = array("q")
    end_s = 0.0
    fault: str | None = None
    with open_video(file) as container:
        stream = container.streams.video[0]
        try:
            with video_errors():
                for packet in container.demux():
                    if packet.pts is None or packet.is_discard:
                        continue
                    end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                    if packet.stream_index == stream.index:
                        found.append(packet.pts)
                        if len(found) == MOST_FRAMES:
                            raise BrokenPictureError(f"it has more than {MOST_FRAMES} frames")
        except BrokenPictureError as exc:
            fault = str(exc)
        if not found:
            raise BrokenPictureError(fault or "the video has no frame with a timestamp")
        rising = array("q", np.unique(np.frombuffer(found, np.int64)).tobytes())
        return Timeline(rising, Fraction(stream.time_base), fault or _cut_off(container, end_s))


def _cut_off(container: Any, end_s: float) -> str | None:  # noqa: ANN401 - PyAV's types are its own
    """The fault of a video that ends long before its header states; FFmpeg takes missing data for the end."""
    if container.format.name.partition(",")[0] not in HEADED or container.duration is None:
        return None
    whole_s = (container.duration + (container.start_time or 0)) / 1e6
    if end_s + max(1.0, 0.02 * whole_s) >= whole_s:
        return None
    return f"only {end_s:.1f} of its {whole_s:.1f} s can be read"


def selected(timeline: Timeline, rate: FrameRate) -> Iterator[tuple[int, Fraction]]:
    """The selected frames' timestamps, and the seconds since the first frame.

    The first frame of each interval of 1/rate seconds is selected. Containers round timestamps, so a frame also belongs
    to an interval that begins within one unit of time after it.
    """
    begin = timeline.pts[0]
    last: int | None = None
    for pts in timeline.pts:
        seconds = (pts - begin) * timeline.time_base
        if rate.per_second is not None:
            slack = min(timeline.time_base, 1 / (2 * rate.per_second))
            interval = (seconds + slack) * rate.per_second // 1
            if last is not None and interval <= last:
                continue
            last = interval
        yield pts, seconds
