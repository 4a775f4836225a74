"""The formats of picture files: names, first bytes, and where each is read and written."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """A format of picture files.

    Attributes:
        name: for messages.
        suffixes: common suffixes of file names, the usual one first.
        begins: pattern of the first `START_BYTES` bytes.
        rare_suffixes: further suffixes that files are recognised by.
        media_type: as registered with IANA; empty for a format that is not read.
        media_aliases: media types that older software sends.
        plugin: prefix of the names of Pillow's module and class for it, as in `PIL.JpegImagePlugin.JpegImageFile`;
            empty: the format is not read, and files are recognised so that they are reported by its name.
        turned: the EXIF orientation is applied, as by OpenCV 4.13 and later, with which MMDetection reads. It ignores
            that of the others.
        in_answers: POST /detect can return drawings in it.
        in_files: `dirdet detect --draw` writes it.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: re.Pattern[bytes]
    rare_suffixes: tuple[str, ...] = ()
    media_type: str = ""
    media_aliases: tuple[str, ...] = ()
    plugin: str = ""
    turned: bool = False
    in_answers: bool = False
    in_files: bool = False

    @property
    def pillow(self) -> str:
        """Pillow's name of the format."""
        return self.name.upper()


def _brands(*brands: bytes) -> re.Pattern[bytes]:
    """The beginning of a file of ISO 14496-12 with one of these brands: the major one, or among the first others."""
    wanted = b"|".join(brands)
    return re.compile(rb"\0\0..ftyp(?:%b|m(?:if|sf)1....(?:....)*?(?:%b))" % (wanted, wanted), re.DOTALL)


START_BYTES = 32
JPEG = PictureFormat(
    "JPEG",
    (".jpg", ".jpeg"),
    rare_suffixes=(".jpe", ".jfif"),
    media_type="image/jpeg",
    media_aliases=("image/jpg",),
    begins=re.compile(rb"\xff\xd8\xff"),
    plugin="Jpeg",
    turned=True,
    in_answers=True,
    in_files=True,
)
PNG = PictureFormat(
    "PNG",
    (".png",),
    media_type="image/png",
    begins=re.compile(rb"\x89PNG\r\n\x1a\n"),
    plugin="Png",
    turned=True,
    in_answers=True,
    in_files=True,
)
TIFF = PictureFormat(
    "TIFF",
    (".tif", ".tiff"),
    media_type="image/tiff",
    begins=re.compile(rb"II[*+]\0|MM\0\*"),
    plugin="Tiff",
    turned=True,
)
FORMATS = (
    JPEG,
    PNG,
    PictureFormat(
        "WebP",
        (".webp",),
        media_type="image/webp",
        begins=re.compile(rb"RIFF....WEBP", re.DOTALL),
        plugin="WebP",
        turned=True,
        in_files=True,
    ),
    PictureFormat(
        "BMP",
        (".bmp",),
        rare_suffixes=(".dib",),
        media_type="image/bmp",
        media_aliases=("image/x-ms-bmp",),
        # English words can begin with "BM" too; in a bitmap the size of the second header follows the first header.
        begins=re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
        plugin="Bmp",
    ),
    TIFF,
    PictureFormat("GIF", (".gif",), media_type="image/gif", begins=re.compile(rb"GIF8[79]a"), plugin="Gif"),
    PictureFormat("AVIF", (".avif",), media_type="image/avif", begins=_brands(b"avif", b"avis"), plugin="Avif"),
    PictureFormat("BigTIFF in big-endian order", (), begins=re.compile(rb"MM\0\+")),  # Pillow does not read it
    # OpenCV's packages are built without libheif and libjxl: MMDetection reads neither of these.
    PictureFormat(
        "HEIF",
        (".heic", ".heif"),
        begins=_brands(b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"),
    ),
    PictureFormat("JPEG 2000", (".j2k", ".jp2"), begins=re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51")),
    PictureFormat("JPEG XL", (".jxl",), begins=re.compile(rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a")),
)
READ = tuple(each for each in FORMATS if each.plugin)
READ_NAMES = f"{', '.join(each.name for each in READ[:-1])} or {READ[-1].name}"
MEDIA_TYPES = tuple(each.media_type for each in READ)
MEDIA_ALIASES = tuple(alias for each in READ for alias in each.media_aliases)
# Suffixes of files that are read, without the rare ones.
USUAL_SUFFIXES = tuple(suffix for each in READ for suffix in each.suffixes)
# Suffixes of all pictures, read or not.
PICTURE_SUFFIXES = frozenset(suffix for each in FORMATS for suffix in (*each.suffixes, *each.rare_suffixes))
ANSWERED = {each.media_type: each for each in FORMATS if each.in_answers}
FILE_SUFFIXES = tuple(suffix for each in FORMATS if each.in_files for suffix in each.suffixes)


def format_of(start: bytes) -> PictureFormat | None:
    """The format of a file, read or not, by its first `START_BYTES` bytes."""
    return next((each for each in FORMATS if each.begins.match(start)), None)
