"""Reads a frame of a video by its timestamp: decodes forward from the last frame if near, else from a key frame."""

import atexit
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from io import BytesIO
from typing import Any

from PIL import Image

from dirdet.batch.remote import open_file
from dirdet.batch.video.opening import av, check_size, open_video, video_errors
from dirdet.errors import BrokenPictureError

# Videos kept open: the end of a part and the beginning of the next may read different ones.
OPEN_VIDEOS = 2
# For a frame further ahead than this, seek to a key frame instead of decoding all frames between.
FAR_S = 10
# Seconds before a frame at which decoding starts, tried in turn.
EARLIER_S = (0, 3, 20)
# Frames that a decoder may give out of order, in containers that do not store the order.
DISORDER = 32
# The transposition of each display matrix by the signs of a, b, c, d (ISO 14496-12, 6.2.2: x' = ax + cy, y' = bx + dy).
TURNS = {
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
# FFmpeg's display matrix: nine signed numbers of 32 bits, in rows: a, b, u, c, d, v, x, y, w.
MATRIX = struct.Struct("=9i")


class Video:
    """One video whose frames several threads read, roughly in order; one thread at a time decodes.

    A waiting thread registers its frame, and the decoding thread stores a registered frame that it passes.
    """

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open: ExitStack | None = None
        self._waiting: set[int] = set()
        self._stored: dict[int, Any] = {}
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._at: int | None = None

    def frame(self, pts: int) -> Any:  # noqa: ANN401 - PyAV's types are its own
        """Returns the frame with this timestamp.

        Raises:
            PictureError: there is none, or the video cannot be read.
            OSError: the file cannot be read.
        """
        self._waiting.add(pts)
        try:
            with self._lock:
                if pts in self._stored:
                    return self._stored.pop(pts)
                try:
                    with video_errors():
                        return self._decoded(pts)
                except BaseException:
                    self._close()  # The decoder's state is unknown after an error.
                    raise
        finally:
            self._waiting.discard(pts)

    def close(self) -> None:
        """Closes the file; a later frame opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open, self._at = None, None
        self._stored.clear()

    def _decoded(self, pts: int) -> Any:  # noqa: ANN401
        if self._open is None:
            with ExitStack() as stack:
                file = stack.enter_context(open_file(self._path))
                self._container = stack.enter_context(open_video(file))
                self._open = stack.pop_all()
        stream = self._container.streams.video[0]
        far = self._at is not None and (pts - self._at) * stream.time_base > FAR_S
        if self._at is not None and pts > self._at and not far and (frame := self._forward_to(pts)) is not None:
            return frame
        # Some containers do not know their key frames: seeking may then end after the requested frame.
        for seconds in EARLIER_S:
            try:
                self._container.seek(pts - round(seconds / stream.time_base), stream=stream)
            except av().FFmpegError:  # Before the beginning of the video.
                self._container.seek(stream.start_time or 0, stream=stream)
            self._frames = _decoded(self._container, stream)
            if (frame := self._forward_to(pts)) is not None:
                return frame
        raise BrokenPictureError("the frame cannot be decoded")

    def _forward_to(self, pts: int) -> Any:  # noqa: ANN401
        """Decodes forward; None if the frame does not occur."""
        beyond = 0
        for frame in self._frames:
            if frame.pts is None:
                continue
            self._at = frame.pts
            if frame.pts == pts:
                return frame
            if frame.pts in self._waiting:
                self._stored[frame.pts] = frame
            beyond += frame.pts > pts
            if beyond > DISORDER:
                break
        return None


def _decoded(container: Any, stream: Any) -> Iterator[Any]:  # noqa: ANN401
    """Frames from the container's position; a broken packet loses only the frames that depend on it."""
    for packet in container.demux(stream):
        with suppress(av().FFmpegError):
            yield from packet.decode()


_videos: OrderedDict[bytes, Video] = OrderedDict()
_videos_lock = threading.Lock()


@atexit.register
def _close_all() -> None:
    for video in _videos.values():
        video.close()


def frame_bytes(path: bytes, pts: int) -> bytes:
    """Reads a frame, rotated as the video states, as a lossless picture file.

    Raises:
        PictureError: there is no such frame, or the video cannot be read.
        OSError: the file cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    av()
    frame = _video(path).frame(pts)
    check_size(frame)
    picture: Image.Image = frame.to_image()
    turn = turn_of(frame)
    file = BytesIO()
    (picture if turn is None else picture.transpose(turn)).save(file, "BMP")
    return file.getvalue()


def turn_of(frame: Any) -> Image.Transpose | None:  # noqa: ANN401
    """The turn or mirroring that a frame's display matrix states; None: none. Other angles go to the nearest."""
    stated = frame.side_data.get("DISPLAYMATRIX")
    if stated is None or len(data := bytes(stated)) < MATRIX.size:
        return None
    a, b, _, c, d, *_ = MATRIX.unpack_from(data)
    upright = abs(a) + abs(d) >= abs(b) + abs(c)
    kept = (a, 0, 0, d) if upright else (0, b, c, 0)
    return TURNS.get(tuple((each > 0) - (each < 0) for each in kept))  # pyright: ignore[reportArgumentType]


def _video(path: bytes) -> Video:
    with _videos_lock:
        video = _videos.setdefault(path, Video(path))
        _videos.move_to_end(path)
        old = _videos.popitem(last=False)[1] if len(_videos) > OPEN_VIDEOS else None
    if old is not None:
        old.close()
    return video
