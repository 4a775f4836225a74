"""The table of picture formats agrees with itself, with Pillow, and with what is read."""

from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from dirdet.detection.draw import encode
from dirdet.errors import NotAPictureError
from dirdet.pictures.formats import (
    ANSWERED,
    FORMATS,
    MEDIA_ALIASES,
    MEDIA_TYPES,
    PICTURE_SUFFIXES,
    READ,
    READ_NAMES,
    START_BYTES,
    USUAL_SUFFIXES,
    PictureFormat,
    format_of,
)
from dirdet.pictures.reading import read_picture

API_PAGE = Path(__file__).parents[3] / "docs" / "api.md"
UNREAD = [each for each in FORMATS if each not in READ]


def of(each: PictureFormat) -> str:
    return each.name


@pytest.mark.parametrize("read", READ, ids=of)
def test_what_pillow_writes_is_recognised_and_read(read: PictureFormat) -> None:
    data = encode(Image.new("RGB", (5, 3), "white"), read.pillow)
    assert format_of(data[:START_BYTES]) is read
    assert read_picture(BytesIO(data)).size == (5, 3)


@pytest.mark.parametrize("unread", UNREAD, ids=of)
def test_what_is_not_read_is_known_by_name_and_refused(unread: PictureFormat) -> None:
    assert set(unread.suffixes) <= PICTURE_SUFFIXES - set(USUAL_SUFFIXES)
    assert not any((unread.media_type, unread.in_answers, unread.in_files))
    if unread.name == "JPEG 2000":  # one that Pillow writes everywhere
        with pytest.raises(NotAPictureError, match=f"JPEG 2000 is not supported: expected a {READ_NAMES} picture"):
            read_picture(BytesIO(encode(Image.new("RGB", (5, 3)), "JPEG2000")))


@pytest.mark.parametrize(
    "start", [b"", b"\xff", b"BM", b"BMW is a car maker of Munich", b"RIFF....WAVE", b"%PDF-1.7", b"\0\0\0\x18ftypisom"]
)
def test_what_is_no_picture(start: bytes) -> None:
    assert format_of(start) is None


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
    ],
)
def test_a_format_is_known_by_its_beginning(start: bytes, name: str) -> None:
    found = format_of(start)
    assert found is not None
    assert found.name == name


def test_nothing_stands_twice() -> None:
    suffixes = [suffix for each in FORMATS for suffix in (*each.suffixes, *each.rare_suffixes)]
    for names in (suffixes, [*MEDIA_TYPES, *MEDIA_ALIASES], [each.name for each in FORMATS]):
        assert max(Counter(names).values()) == 1
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


def test_what_is_answered_could_be_sent_back() -> None:
    assert set(ANSWERED) <= set(MEDIA_TYPES)


def test_the_apis_page_names_what_is_read() -> None:
    assert READ_NAMES.replace(" or ", " and ") in " ".join(API_PAGE.read_text(encoding="utf-8").split())
