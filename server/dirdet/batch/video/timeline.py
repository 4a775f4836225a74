"""Which frames a video has, by its packets' timestamps, and which of them a rate chooses: nothing is decoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any

from dirdet.batch.video.opening import opened, told
from dirdet.errors import BrokenPictureError, ParameterError

# Containers, by FFmpeg's first name of each, whose header tells how long they are.
HEADED = frozenset({"mov", "matroska"})


@dataclass(frozen=True, slots=True)
class FrameRate:
    """How many frames of a second are wanted; None: every one."""

    per_second: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A video's frames.

    Attributes:
        pts: presentation timestamps, rising, in units of `time_base` seconds.
        time_base: see above.
        fault: why there are no more of them; None where the video's end was reached.
    """

    pts: Sequence[int]
    time_base: Fraction
    fault: str | None = None


def parse_rate(text: str) -> FrameRate:
    """What `--fps` says.

    Raises:
        ParameterError: neither a number above 0 nor `all`.
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
    """A video's frames; one that breaks off gives those before.

    Raises:
        PictureError: it has none.
        MissingExtraError: PyAV is not installed.
    """
    found: set[int] = set()
    end_s = 0.0
    fault: str | None = None
    with opened(file) as container:
        stream = container.streams.video[0]
        try:
            with told():
                for packet in container.demux():
                    if packet.pts is None or packet.is_discard:
                        continue
                    end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                    if packet.stream_index == stream.index:
                        found.add(packet.pts)
        except BrokenPictureError as exc:
            fault = str(exc)
        if not found:
            raise BrokenPictureError(fault or "the video has no frame with a timestamp")
        return Timeline(sorted(found), Fraction(stream.time_base), fault or _cut_off(container, end_s))


def _cut_off(container: Any, end_s: float) -> str | None:  # noqa: ANN401 - PyAV's types are its own
    """Whether it ends long before its header says: FFmpeg takes what is missing for the end."""
    if container.format.name.partition(",")[0] not in HEADED or container.duration is None:
        return None
    whole_s = (container.duration + (container.start_time or 0)) / 1e6
    if end_s + max(1.0, 0.02 * whole_s) >= whole_s:
        return None
    return f"only {end_s:.1f} of its {whole_s:.1f} s can be read"


def selected(timeline: Timeline, rate: FrameRate) -> Iterator[tuple[int, Fraction]]:
    """The wanted frames' timestamps, and the seconds since the first frame.

    Of each interval of 1/rate seconds the first frame is taken. Containers round timestamps, so a frame counts for the
    interval that begins within one unit of time after it.
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
