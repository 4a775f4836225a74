"""Opens videos so that they cannot open another file or an address."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any, NoReturn

from dirdet.errors import BrokenPictureError, NotAPictureError, PictureTooLargeError
from dirdet.extras import import_extra

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv", ".ogv"}
    | {".3gp", ".mxf"}
)
# FFmpeg's names of self-contained formats; playlists name other files.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf"
BUFFER_BYTES = 2**20
# 8K has 33 million; decoders keep up to 17 pictures of a video in memory.
MOST_PIXELS = 40_000_000
MOST = f"at most {MOST_PIXELS / 1e6:g} megapixels are accepted"
# FFmpeg refuses larger pictures before it allocates memory.
OPTIONS = {"max_pixels": str(MOST_PIXELS)}


def av() -> Any:  # noqa: ANN401 - its types are its own
    """Imports PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra("av", needs="videos need", extra="video")


@contextmanager
def open_video(file: IO[bytes]) -> Generator[Any]:
    """Opens a container whose first video stream can be decoded.

    Raises:
        NotAPictureError: it is not a video of a supported kind, or has no pictures.
        BrokenPictureError: it is broken.
        PictureTooLargeError: its pictures have more pixels than the limit.
        MissingExtraError: PyAV is not installed.
    """
    library = av()
    with video_errors():
        container = library.open(
            file,
            options=OPTIONS,
            container_options={"format_whitelist": CONTAINERS},
            io_open=_refuse,
            buffer_size=BUFFER_BYTES,
        )
    try:
        if not container.streams.video:
            raise NotAPictureError("the video has no pictures in it, only sound or text")
        decoder = container.streams.video[0].codec_context
        if decoder is None:
            raise NotAPictureError("the video's codec is not supported")
        if not decoder.width or not decoder.height:
            raise BrokenPictureError(
                f"the video does not state the size of its pictures, or they are too large: {MOST}"
            )
        check_size(decoder)
        decoder.options = OPTIONS
        yield container
    finally:
        container.close()


@contextmanager
def video_errors() -> Generator[None]:
    """Converts FFmpeg's errors.

    Raises:
        BrokenPictureError: FFmpeg raised an error.
    """
    try:
        yield
    except av().FFmpegError as exc:
        raise BrokenPictureError(f"the video cannot be read: {exc.strerror}") from exc


def check_size(sized: Any) -> None:  # noqa: ANN401
    """Checks the `width` and `height` of a decoder or frame.

    Raises:
        PictureTooLargeError: it has more pixels than the limit.
    """
    if sized.width * sized.height > MOST_PIXELS:
        raise PictureTooLargeError(f"the video's pictures are {sized.width} x {sized.height}; {MOST}")


def _refuse(url: str, *_: object) -> NoReturn:
    raise PermissionError(f"a video may not open {url!r}")
