"""Converts a caller's pictures, in memory or on disk, to the bytes that are sent."""

import re
import sys
from dataclasses import dataclass, replace
from io import BytesIO
from os import PathLike, fsdecode
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dirdet.errors import DirdetError, NotFoundError, ParameterError, PictureError, UnreadableError
from dirdet.files import open_regular

if TYPE_CHECKING:
    from PIL import Image

    from dirdet.client.result import PictureResult
    from dirdet.client.shrinking import Shrunk

    PictureInput = str | PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[np.uint8]

UNNAMED = "image"
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# The gateway's limit on a picture's bytes (`dirdet.pictures.reading.PictureLimits`), less room for a header.
MOST_RAW_BYTES = 32 * 2**20 - 4096
EXPECTED = "a path, bytes, a file opened in binary mode, a PIL image, or a uint8 array [height, width, 3] in RGB order"
# PNG stores these modes unchanged; other modes are converted to RGB or RGBA.
PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})


@dataclass(frozen=True, slots=True)
class SentPicture:
    """One picture ready to send.

    Attributes:
        name: its name in the result.
        data: the bytes of its file.
        error: why there are no bytes.
        source: what the caller passed, if its result keeps that.
        shrunk: how it was shrunk; None: the bytes are the caller's.
    """

    name: str
    data: bytes
    error: PictureError | None = None
    source: "PictureInput | None" = None
    shrunk: "Shrunk | None" = None

    @property
    def file_name(self) -> str:
        """The file name without its folders, in UTF-8; paths of this machine are not sent."""
        name = self.name.replace("\\", "/").rsplit("/", 1)[-1]
        return name.encode("utf-8", "replace").decode() or UNNAMED

    def failed(self, error: DirdetError) -> "PictureResult":
        """The result of a picture that cannot be read."""
        from dirdet.client.result import PictureResult

        return PictureResult(self.name, 0, 0, error=error, picture=self.source)


def read(picture: "PictureInput", *, name: str | None = None, keep: bool = False) -> SentPicture:
    """Reads a picture's bytes; a file that cannot be read gives its error instead.

    Args:
        picture: of a kind that `EXPECTED` lists.
        name: None takes its own.
        keep: its result keeps the picture. Paths are always kept; results of many pictures would fill the memory with
            the others.

    Raises:
        ParameterError: the argument is not a picture of a kind that `EXPECTED` lists.
    """
    require_text("name", name)
    source = picture if keep or isinstance(picture, (str, PathLike)) else None
    try:
        return replace(_read(picture, name), source=source)
    except PictureError as exc:
        return SentPicture(name or str(picture), b"", exc, source)
    except ParameterError:
        raise
    except Exception as exc:  # The code of the caller's object: a file that fails, an array in another place.
        raise ParameterError("picture", f"{type(picture).__name__} cannot be read: {exc}") from exc


def decoded(picture: SentPicture) -> "Image.Image":
    """The upright RGB pixels, as a gateway reads them.

    Raises:
        PictureError: the file cannot be read, or is no picture.
    """
    from dirdet.pictures.reading import read_picture

    if picture.error is not None:
        raise picture.error
    return read_picture(BytesIO(picture.data))


def require_text(parameter: str, value: object) -> None:
    """Checks an argument that is text or None.

    Raises:
        ParameterError: it is something else.
    """
    if not isinstance(value, str | None):
        raise ParameterError(parameter, f"expected text, found {type(value).__name__}")


def _read(picture: Any, name: str | None) -> SentPicture:  # noqa: ANN401 - looked at here
    if isinstance(picture, (str, PathLike)):
        path = fsdecode(cast("str | PathLike[str]", picture))
        if ADDRESS.match(path):
            raise UnreadableError(f"{path} is an address, and the client sends files: download it first")
        return SentPicture(name or path, _file_bytes(Path(path)))
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return SentPicture(name or UNNAMED, bytes(cast("bytes", picture)))
    if isinstance(picture, np.ndarray):
        return SentPicture(name or UNNAMED, encode_array(cast("NDArray[Any]", picture)))
    pil = sys.modules.get("PIL.Image")  # Only a caller that has imported PIL can pass a PIL image.
    if pil is not None and isinstance(picture, pil.Image):
        return SentPicture(name or _name_of(picture, "filename"), encode_image(picture))
    if callable(getattr(picture, "read", None)):
        data = picture.read()
        if not isinstance(data, bytes):
            raise ParameterError("picture", f"expected {EXPECTED}; the file gives {type(data).__name__}")
        return SentPicture(name or _name_of(picture, "name"), data)
    raise ParameterError("picture", f"expected {EXPECTED}; found {type(picture).__module__}.{type(picture).__name__}")


def encode_array(pixels: NDArray[Any]) -> bytes:
    """Encodes an array as a picture file with exactly these pixels.

    Raises:
        ParameterError: the array is not uint8 [height, width, 3].
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ParameterError(
            "picture", f"expected a uint8 array [height, width, 3] in RGB order; found {pixels.dtype} {pixels.shape}"
        )
    from PIL import Image

    return _encode(Image.fromarray(np.ascontiguousarray(pixels)))


def encode_image(picture: "Image.Image") -> bytes:
    """Encodes a PIL image as a picture file with exactly these pixels.

    EXIF orientation is not applied, so that boxes fit the image that the caller holds.

    Raises:
        ParameterError: the pixels cannot be read, or their range is unknown.
    """
    from PIL import Image

    if picture.mode in ("F", "I"):
        raise ParameterError(
            "picture", f"expected 8 or 16 bits per channel; the PIL image has 32 (mode {picture.mode})"
        )
    try:
        kept = picture
        if picture.mode.startswith("I;16"):  # in any byte order
            kept = Image.fromarray(np.asarray(picture).astype(np.uint16))
        elif picture.mode not in PNG_MODES:
            kept = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        pixels = Image.frombytes(kept.mode, kept.size, kept.tobytes())  # The copy has no metadata.
    except (OSError, ValueError) as exc:
        raise ParameterError("picture", f"the PIL image cannot be read: {exc}") from exc
    if kept.mode == "P":
        pixels.putpalette(kept.palette.tobytes() if kept.palette else b"", kept.palette.mode if kept.palette else "RGB")
    if "transparency" in kept.info:
        pixels.info["transparency"] = kept.info["transparency"]
    return _encode(pixels)


def _encode(picture: "Image.Image") -> bytes:
    """Encodes uncompressed if the size allows: PNG takes 50 times as long for a 1080p frame and saves a third."""
    file = BytesIO()
    raw = picture.mode in ("RGB", "L") and not picture.info
    if raw and picture.width * picture.height * len(picture.getbands()) <= MOST_RAW_BYTES:
        picture.save(file, "TIFF")
    else:
        picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _file_bytes(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NotFoundError(f"there is no such file: {path}") from exc
    except (OSError, ValueError) as exc:  # Python raises ValueError for a name with a null character.
        raise UnreadableError(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc


def _name_of(picture: object, attribute: str) -> str:
    """Name of a file object or a PIL image; `UNNAMED` if it is a number or empty."""
    found = getattr(picture, attribute, None)
    return found if isinstance(found, str) and found else UNNAMED


def refuse_one(pictures: Any) -> None:  # noqa: ANN401 - looked at here
    """Refuses a single picture where several are expected: iterating over it would give letters or rows.

    Raises:
        ParameterError: the argument is one picture.
    """
    several = hasattr(pictures, "__iter__") or hasattr(pictures, "__aiter__")
    if hasattr(pictures, "read") or isinstance(pictures, (str, PathLike, bytes, bytearray, memoryview)):
        several = False
    if not several or (isinstance(pictures, np.ndarray) and pictures.ndim < 4):
        raise ParameterError("pictures", "expected several; found one, which `detect` takes")
