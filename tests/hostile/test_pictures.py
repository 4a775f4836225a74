"""Pictures that take far more time and memory than their size tells."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from measured import measured
from PIL import Image, features

from dirdet.errors import BrokenPictureError
from dirdet.pictures.avif_frames import decoded_pixels
from dirdet.pictures.reading import read_picture

pytestmark = pytest.mark.skipif(features.check("avif") is not True, reason="this Pillow is built without AVIF")


def avif(side: int, mode: str = "RGB", **options: Any) -> bytearray:
    """A square of one colour."""
    file = io.BytesIO()
    Image.new(mode, (side, side), 90).save(file, "AVIF", speed=10, **options)
    return bytearray(file.getvalue())


def claimed(data: bytearray, side: int) -> bytearray:
    """The same with another size in all its headers."""
    at = -1
    while (at := data.find(b"ispe", at + 1)) >= 0:
        data[at + 8 : at + 16] = struct.pack(">II", side, side)
    return data


def test_an_avif_decodes_to_no_more_than_it_says(tmp_path: Path) -> None:
    """Its decoder decoded all of 3 KB, 196 megapixels in 2.4 s and 430 MB, and scaled them to 64 x 64."""
    (tmp_path / "a.avif").write_bytes(claimed(avif(3000), 64))
    code = (
        "import sys; from dirdet.errors import PictureError; from dirdet.pictures.reading import read_picture\n"
        "try: read_picture(open(sys.argv[1], 'rb'))\n"
        "except PictureError as exc: print(exc)"
    )
    ended = measured(code, tmp_path / "a.avif")
    assert "decodes to 9 megapixels, far more than its 0.0041" in ended.stdout, ended.stderr
    assert ended.peak_mib < 50


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("options", [{}, {"save_all": True}, {"subsampling": "4:4:4"}], ids=["one", "two", "4:4:4"])
@pytest.mark.parametrize("side", [1, 100, 700])
def test_other_avifs_are_read(mode: str, options: dict[str, Any], side: int) -> None:
    more = {"append_images": [Image.new(mode, (side, side), 9)]} if "save_all" in options else {}
    assert read_picture(io.BytesIO(avif(side, mode, **options, **more))).size == (side, side)


def boxes(*parts: tuple[bytes, bytes]) -> bytes:
    return b"".join(struct.pack(">I4s", len(content) + 8, kind) + content for kind, content in parts)


def deep(data: bytes) -> bytes:
    for _ in range(3000):
        data = boxes((b"moov", data))
    return data


BROKEN: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "deep": lambda: deep(b""),
    "many extents": lambda: boxes(
        (b"meta", bytes(4) + boxes((b"iloc", b"\1\0\0\0\0\0\xff\xff" + b"\0\1\0\0\0\0\xff\xff" * 65535)))
    ),
    "shared data": lambda: boxes(
        (
            b"meta",
            bytes(4)
            + boxes(
                (b"iinf", bytes(6) + boxes((b"infe", b"\2\0\0\0\0\1\0\0av01"))),
                (b"iloc", b"\1\0\0\0\0\0\0\1" + b"\0\1\0\0\0\0\x0f\x00"),
            ),
        ),
        (b"mdat", bytes(10**6)),
    ),
    "many parts": lambda: boxes((b"stco", bytes(8) + struct.pack(">I", 28)), (b"mdat", b"\x12\0" * 10**6)),
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_what_is_no_avif_is_refused_soon(make: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match=r"truncated|too many|share|no picture"):
        decoded_pixels(make())


def test_a_truncated_avif_is_broken() -> None:
    data = avif(100)
    for length in range(40, len(data), 7):
        with pytest.raises(BrokenPictureError):
            read_picture(io.BytesIO(data[:length]))
