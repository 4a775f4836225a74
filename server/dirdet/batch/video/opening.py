"""Videos opened so that they can name no other file and no address."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any, NoReturn

from dirdet.errors import BrokenPictureError, NotAPictureError, PictureTooLargeError
from dirdet.extras import import_extra
from dirdet.pictures import DEFAULT_LIMITS

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv", ".ogv"}
    | {".3gp", ".mxf"}
)
# FFmpeg's names of containers that hold their pictures themselves; playlists name other files.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf"
BUFFER_BYTES = 2**20


def av() -> Any:  # noqa: ANN401 - its types are its own
    """PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra("av", needs="videos need", extra="video")


@contextmanager
def opened(file: IO[bytes]) -> Generator[Any]:
    """A container whose first video stream can be read.

    Raises:
        NotAPictureError: it is no video of a kind that is read, or has no pictures in it.
        BrokenPictureError: it is one, and broken.
        PictureTooLargeError: its pictures have more pixels than the limit.
        MissingExtraError: PyAV is not installed.
    """
    library = av()
    with told():
        container = library.open(
            file, container_options={"format_whitelist": CONTAINERS}, io_open=_refuse, buffer_size=BUFFER_BYTES
        )
    try:
        if not container.streams.video:
            raise NotAPictureError("the video has no pictures in it, only sound or text")
        check_size(container.streams.video[0].codec_context)
        yield container
    finally:
        container.close()


@contextmanager
def told() -> Generator[None]:
    """What FFmpeg says of a video, as an error that a user may see.

    Raises:
        BrokenPictureError: it cannot go on.
    """
    try:
        yield
    except av().FFmpegError as exc:
        raise BrokenPictureError(f"the video cannot be read: {exc.strerror}") from exc


def check_size(has: Any) -> None:  # noqa: ANN401
    """Refuses what has a `width` and `height` of more pixels than are accepted.

    Raises:
        PictureTooLargeError: it has.
    """
    if has.width * has.height > DEFAULT_LIMITS.max_pixels:
        raise PictureTooLargeError(
            f"the video's pictures are {has.width} x {has.height}; "
            f"at most {DEFAULT_LIMITS.max_pixels / 1e6:g} megapixels are accepted"
        )


def _refuse(url: str, *_: object) -> NoReturn:
    raise PermissionError(f"a video may not open {url!r}")
