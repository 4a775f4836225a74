"""A frame of a video by its timestamp: decoded on from the last one where that is near, else from a key frame."""

import atexit
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from io import BytesIO
from typing import Any

from PIL import Image

from dirdet.batch.opening import open_file
from dirdet.batch.video.opening import av, check_size, opened, told
from dirdet.errors import BrokenPictureError

# Videos kept open: those of a part's end and of the next one's beginning.
OPEN_VIDEOS = 2
# Further ahead than this, a key frame is looked for instead of decoding everything between.
FAR_S = 10
# How far before a frame decoding begins, tried in turn.
EARLIER_S = (0, 3, 20)
# Frames that a decoder may give out of order, in containers that do not know the order.
DISORDER = 32
# What a display matrix asks for, in degrees counter-clockwise.
TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


class Video:
    """One video that several threads read frames of, about in order; one at a time decodes.

    A thread that waits has said which frame it waits for, and whoever decodes past it puts it by.
    """

    def __init__(self, path: bytes) -> None:
        """Opens nothing yet."""
        self._path = path
        self._lock = threading.Lock()
        self._open: ExitStack | None = None
        self._waiting: set[int] = set()
        self._put_by: dict[int, Any] = {}
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._at: int | None = None

    def frame(self, pts: int) -> Any:  # noqa: ANN401 - PyAV's types are its own
        """The frame with this timestamp.

        Raises:
            PictureError: there is none, or the video cannot be read.
            OSError: the file cannot be read.
        """
        self._waiting.add(pts)
        try:
            with self._lock:
                if pts in self._put_by:
                    return self._put_by.pop(pts)
                try:
                    with told():
                        return self._decoded(pts)
                except BaseException:
                    self._close()  # its decoder is in no known state
                    raise
        finally:
            self._waiting.discard(pts)

    def close(self) -> None:
        """Gives the file back; a later frame opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open, self._at = None, None
        self._put_by.clear()

    def _decoded(self, pts: int) -> Any:  # noqa: ANN401
        if self._open is None:
            with ExitStack() as stack:
                file = stack.enter_context(open_file(self._path))
                self._container = stack.enter_context(opened(file))
                self._open = stack.pop_all()
        stream = self._container.streams.video[0]
        far = self._at is not None and (pts - self._at) * stream.time_base > FAR_S
        if self._at is not None and pts > self._at and not far and (frame := self._further(pts)) is not None:
            return frame
        # Not every container knows where its key frames are: then decoding begins after the frame that is wanted.
        for seconds in EARLIER_S:
            try:
                self._container.seek(pts - round(seconds / stream.time_base), stream=stream)
            except av().FFmpegError:  # before its beginning
                self._container.seek(stream.start_time or 0, stream=stream)
            self._frames = _decoded(self._container, stream)
            if (frame := self._further(pts)) is not None:
                return frame
        raise BrokenPictureError("the frame cannot be decoded")

    def _further(self, pts: int) -> Any:  # noqa: ANN401
        """Decodes on; None where the frame does not come."""
        beyond = 0
        for frame in self._frames:
            if frame.pts is None:
                continue
            self._at = frame.pts
            if frame.pts == pts:
                return frame
            if frame.pts in self._waiting:
                self._put_by[frame.pts] = frame
            beyond += frame.pts > pts
            if beyond > DISORDER:
                break
        return None


def _decoded(container: Any, stream: Any) -> Iterator[Any]:  # noqa: ANN401
    """Frames from where the container is; a packet that is broken takes only what depends on it along."""
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
    """A frame, turned as the video says, as a picture file that loses nothing.

    Raises:
        PictureError: there is no such frame, or the video cannot be read.
        OSError: the file cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    av()
    frame = _video(path).frame(pts)
    check_size(frame)
    picture: Image.Image = frame.to_image()
    turn = TURNS.get(round(frame.rotation) % 360)
    file = BytesIO()
    (picture if turn is None else picture.transpose(turn)).save(file, "BMP")
    return file.getvalue()


def _video(path: bytes) -> Video:
    with _videos_lock:
        video = _videos.setdefault(path, Video(path))
        _videos.move_to_end(path)
        old = _videos.popitem(last=False)[1] if len(_videos) > OPEN_VIDEOS else None
    if old is not None:
        old.close()
    return video
