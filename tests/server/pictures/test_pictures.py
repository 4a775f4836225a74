"""Bytes to upright RGB pictures: every type and mode that is read, and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dirdet.errors import BrokenPictureError, NotAPictureError, PictureError, PictureTooLargeError
from dirdet.pictures.reading import PictureLimits, open_picture, read_picture

Encode = Callable[..., bytes]
KINDS = ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"]


def corners(width: int = 40, height: int = 24) -> Image.Image:
    """White, with a red, a green and a blue corner: no two turns of it look the same."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[:8, :8] = 255, 0, 0
    pixels[:8, -8:] = 0, 255, 0
    pixels[-8:, :8] = 0, 0, 255
    return Image.fromarray(pixels)


def read(data: bytes) -> Image.Image:
    return read_picture(BytesIO(data))


def assert_close(picture: Image.Image, expected: Image.Image, tolerance: int = 0) -> None:
    assert (picture.mode, picture.size) == ("RGB", expected.size)
    difference = np.abs(np.asarray(picture, np.int64) - np.asarray(expected, np.int64))
    assert np.median(difference) <= tolerance
    assert difference.mean() <= 4 * tolerance


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_gives_its_pixels(kind: str, encode: Encode) -> None:
    options = {"quality": 95, "lossless": True} if kind == "WEBP" else {}
    assert_close(read(encode(corners(), kind, **options)), corners(), tolerance=2 if kind in ("JPEG", "AVIF") else 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(kind: str, orientation: int, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(corners(), kind, exif=exif.tobytes())
    expected = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")
    assert_close(read(data), expected)
    swapped = orientation >= 5
    assert read(data).size == ((24, 40) if swapped else (40, 24))


def test_six_is_the_camera_held_upright(encode: Encode) -> None:
    # EXIF 2.32: 6 says that row 0 is the scene's right side, so the stored top left is the upright top right.
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.asarray(read(encode(corners(), "PNG", exif=exif.tobytes())))
    assert upright[2, -3].tolist() == [255, 0, 0]
    assert upright[-3, -3].tolist() == [0, 255, 0]
    assert upright[2, 2].tolist() == [0, 0, 255]


def test_orientation_in_xmp_is_ignored(encode: Encode) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = encode(corners(), "JPEG", xmp=xmp)
    assert Image.open(BytesIO(data)).getexif().get(0x0112) == 6
    assert read(data).size == (40, 24)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's own remark
@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense"])
def test_broken_exif_leaves_the_picture_as_stored(exif: bytes, encode: Encode) -> None:
    assert read(encode(corners(), "JPEG", exif=exif)).size == (40, 24)


def test_sixteen_bits_keep_their_range(encode: Encode) -> None:
    grey = np.linspace(0, 65535, 24 * 40).reshape(24, 40).astype(np.uint16)
    picture = np.asarray(read(encode(Image.fromarray(grey), "PNG")))
    np.testing.assert_array_equal(picture[..., 0], grey >> 8)
    np.testing.assert_array_equal(picture[..., 0], picture[..., 2])


@pytest.mark.parametrize("mode", ["1", "L", "P"])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_grey_and_palette_pictures(mode: str, kind: str, encode: Encode) -> None:
    source = corners().convert(mode)
    assert_close(read(encode(source, kind)), source.convert("RGB"))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str, encode: Encode) -> None:
    assert_close(read(encode(corners().convert("CMYK"), kind)), corners(), tolerance=2)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_the_colour_of_what_is_transparent_is_kept(mode: str, encode: Encode) -> None:
    source = Image.new("RGBA", (8, 8), (200, 200, 200, 0))
    source.paste((0, 0, 0, 255), (0, 0, 4, 8))
    pixels = np.asarray(read(encode(source.convert(mode), "PNG")))
    assert pixels[4, 1].tolist() == [0, 0, 0]
    assert pixels[4, 6].tolist() == [200, 200, 200]


def test_the_colour_of_a_transparent_palette_entry_is_kept(encode: Encode) -> None:
    source = corners().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    pixels = np.asarray(read(encode(source, "PNG", transparency=source.getpixel((2, 2)))))
    assert pixels[2, 2].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_of_several_frames_the_first(kind: str, encode: Encode) -> None:
    others = [Image.new("RGB", (40, 24), colour) for colour in ("black", "red")]
    options = {"lossless": True} if kind == "WEBP" else {}
    assert_close(read(encode(corners(), kind, save_all=True, append_images=others, **options)), corners())


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_thinnest_pictures(kind: str, size: tuple[int, int], encode: Encode) -> None:
    assert read(encode(Image.new("RGB", size), kind)).size == size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"hello",
        b"BM",
        b"BMW builds cars in Munich",
        b"<svg/>",
        b"%PDF-1.7",
        b"RIFF....WAVEfmt ",
        bytes(99),
    ],
)
def test_no_picture(data: bytes) -> None:
    with pytest.raises(NotAPictureError, match="expected a JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF picture"):
        read(data)


def test_pixels_of_unknown_range_are_not_read(encode: Encode) -> None:
    with pytest.raises(NotAPictureError, match="32 bits"):
        read(encode(Image.new("F", (8, 8), 0.5), "TIFF"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated(kind: str, share: float, encode: Encode) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = encode(noise, kind)
    with pytest.raises(BrokenPictureError, match=f"the {kind} picture"):
        read(data[: int(len(data) * share)])


def test_too_many_pixels_are_refused_before_decoding(encode: Encode) -> None:
    # Truncated right behind the header: that it is told to be too large shows that nothing was decoded.
    data = encode(Image.new("L", (11_000, 10_000)), "PNG")[:60]
    with pytest.raises(PictureTooLargeError, match="megapixels"):
        read(data)


@pytest.mark.parametrize("size", [(20_000, 20_000), (30_000, 60_000)])
def test_far_too_many_pixels(size: tuple[int, int]) -> None:
    # A PNG's header only: signature, IHDR's length and name, then width and height.
    width, height = size
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0"
    with pytest.raises(PictureError):
        read(header + bytes(40))


def test_exactly_the_limit_is_accepted(encode: Encode) -> None:
    data = encode(Image.new("RGB", (20, 10)), "PNG")
    assert open_picture(BytesIO(data), limits=PictureLimits(max_pixels=200)).size == (20, 10)
    with pytest.raises(PictureTooLargeError, match=r"20 x 10 = 0\.0002 megapixels"):
        open_picture(BytesIO(data), limits=PictureLimits(max_pixels=199))


SEEDS = {kind: BytesIO() for kind in KINDS}
for _kind, _file in SEEDS.items():
    corners().save(_file, _kind)


@given(
    kind=st.sampled_from(KINDS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    length=st.floats(0, 1),
)
def test_a_mutated_picture_is_read_or_refused(kind: str, changes: list[tuple[float, int]], length: float) -> None:
    data = bytearray(SEEDS[kind].getvalue())
    for where, value in changes:
        data[int(where * len(data))] = value
    try:
        picture = read(bytes(data[: int(length * len(data))]))
    except PictureError:
        return
    assert picture.mode == "RGB"


def test_reading_changes_nothing_of_the_process() -> None:
    """A hundred megapixels, of which Pillow itself would warn, here as an error."""
    script = (
        "import warnings; from io import BytesIO; import numpy; from PIL import Image\n"
        "before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))\n"
        "file = BytesIO(); Image.new('1', (10_000, 9_900)).save(file, 'PNG'); file.seek(0)\n"
        "from dirdet.pictures.reading import open_picture\n"
        "assert open_picture(file).size == (10_000, 9_900)\n"
        "assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
