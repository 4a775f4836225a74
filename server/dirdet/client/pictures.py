"""Pictures as a caller has them, in memory or on disk, to the bytes that are sent."""

import sys
from dataclasses import dataclass
from io import BytesIO
from os import PathLike, fspath
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dirdet.errors import NotFoundError, ParameterError, PictureError, UnreadableError

if TYPE_CHECKING:
    from PIL import Image

    PictureInput = str | PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[np.uint8]

UNNAMED = "image"
# The gateway's limit on a picture's bytes (`dirdet.pictures.PictureLimits`), less room for a header.
MOST_RAW_BYTES = 32 * 2**20 - 4096
EXPECTED = "a path, bytes, a file opened in binary mode, a PIL image, or a uint8 array [height, width, 3] in RGB order"
# Modes that PNG keeps as they are; others become RGB or RGBA.
PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


@dataclass(frozen=True, slots=True)
class SentPicture:
    """One picture ready to send.

    Attributes:
        name: what the result is called.
        data: its file's bytes.
        error: why there are none.
    """

    name: str
    data: bytes
    error: PictureError | None = None

    @property
    def file_name(self) -> str:
        """What the server is told: no folders of this machine."""
        return self.name.replace("\\", "/").rsplit("/", 1)[-1] or UNNAMED


def read(picture: "PictureInput", *, name: str | None = None) -> SentPicture:
    """The picture's bytes; a file that cannot be read gives its error instead.

    Raises:
        ParameterError: not a picture in any of the ways that are taken.
    """
    try:
        return _read(picture, name)
    except PictureError as exc:
        return SentPicture(name or str(picture), b"", exc)


def _read(picture: Any, name: str | None) -> SentPicture:  # noqa: ANN401 - looked at here
    if isinstance(picture, (str, PathLike)):
        path = fspath(cast("str | PathLike[str]", picture))
        return SentPicture(name or path, _file_bytes(Path(path)))
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return SentPicture(name or UNNAMED, bytes(cast("bytes", picture)))
    if isinstance(picture, np.ndarray):
        return SentPicture(name or UNNAMED, encode_array(cast("NDArray[Any]", picture)))
    pil = sys.modules.get("PIL.Image")  # who has a PIL image has loaded it
    if pil is not None and isinstance(picture, pil.Image):
        return SentPicture(name or _name_of(picture, "filename"), encode_image(picture))
    if callable(getattr(picture, "read", None)):
        data = picture.read()
        if not isinstance(data, bytes):
            raise ParameterError("picture", f"expected {EXPECTED}; the file gives {type(data).__name__}")
        return SentPicture(name or _name_of(picture, "name"), data)
    raise ParameterError("picture", f"expected {EXPECTED}; found {type(picture).__module__}.{type(picture).__name__}")


def encode_array(pixels: NDArray[Any]) -> bytes:
    """A picture's file with exactly these pixels.

    Raises:
        ParameterError: not uint8 [height, width, 3].
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ParameterError(
            "picture", f"expected a uint8 array [height, width, 3] in RGB order; found {pixels.dtype} {pixels.shape}"
        )
    from PIL import Image

    return _encode(Image.fromarray(np.ascontiguousarray(pixels)))


def encode_image(picture: "Image.Image") -> bytes:
    """A picture's file with exactly these pixels, not turned by EXIF: boxes are to fit what the caller holds.

    Raises:
        ParameterError: pixels that cannot be had, or whose range is not known.
    """
    from PIL import Image

    if picture.mode in ("F", "I"):
        raise ParameterError(
            "picture", f"expected 8 or 16 bits per channel; the PIL image has 32 (mode {picture.mode})"
        )
    try:
        kept = picture
        if picture.mode not in PNG_MODES:
            kept = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        pixels = Image.frombytes(kept.mode, kept.size, kept.tobytes())  # without metadata, whatever its file had
    except (OSError, ValueError) as exc:
        raise ParameterError("picture", f"the PIL image cannot be read: {exc}") from exc
    if kept.mode == "P":
        pixels.putpalette(kept.palette.tobytes() if kept.palette else b"", kept.palette.mode if kept.palette else "RGB")
    if "transparency" in kept.info:
        pixels.info["transparency"] = kept.info["transparency"]
    return _encode(pixels)


def _encode(picture: "Image.Image") -> bytes:
    """Uncompressed while it may be: of a 1080p frame PNG takes 50 times as long for two thirds of the bytes."""
    file = BytesIO()
    raw = picture.mode in ("RGB", "L") and not picture.info
    if raw and picture.width * picture.height * len(picture.getbands()) <= MOST_RAW_BYTES:
        picture.save(file, "TIFF")
    else:
        picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NotFoundError(f"there is no such file: {path}") from exc
    except (OSError, ValueError) as exc:  # ValueError: a name with a null character
        raise UnreadableError(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc


def _name_of(picture: object, attribute: str) -> str:
    """A file object's or PIL image's own name; some are numbers, most are empty."""
    found = getattr(picture, attribute, None)
    return found if isinstance(found, str) and found else UNNAMED


def refuse_one(pictures: Any) -> None:  # noqa: ANN401 - looked at here
    """Refuses one picture where several are meant: it would be taken apart letter by letter, or row by row.

    Raises:
        ParameterError: one picture.
    """
    several = hasattr(pictures, "__iter__") or hasattr(pictures, "__aiter__")
    if hasattr(pictures, "read") or isinstance(pictures, (str, PathLike, bytes, bytearray, memoryview)):
        several = False
    if not several or (isinstance(pictures, np.ndarray) and pictures.ndim < 4):
        raise ParameterError("pictures", "expected several; found one, which `detect` takes")
