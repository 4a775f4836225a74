"""Counting the scans of a JPEG: no photograph is refused, and no bomb passes."""

import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dirdet.errors import BrokenPictureError, PictureTooLargeError
from dirdet.pictures.reading import PictureLimits, count_scans, has_one_scan, open_picture, read_picture

Encode = Callable[..., bytes]


def bomb(data: bytes, scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: all of them legal, each a pass over every block."""
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:last] + scan * scans + b"\xff\xd9"


@pytest.fixture
def progressive(rectangles: Callable[..., Image.Image], encode: Encode) -> bytes:
    return encode(rectangles(), "JPEG", progressive=True)


def test_a_photograph_has_few(rectangles: Callable[..., Image.Image], encode: Encode, progressive: bytes) -> None:
    assert count_scans(encode(rectangles(), "JPEG"), at_most=100) == 1
    assert count_scans(progressive, at_most=100) == 10
    assert read_picture(BytesIO(progressive)).size == (640, 480)


def test_thousands_are_refused_before_they_are_decoded(progressive: bytes) -> None:
    begun = time.thread_time()  # of the processor: what else the machine does is not this thread's
    with pytest.raises(PictureTooLargeError, match="more than 100 scans"):
        read_picture(BytesIO(bomb(progressive, 5000)))
    assert time.thread_time() - begun < 2


def test_the_limit_itself_is_read(progressive: bytes) -> None:
    limits = PictureLimits(max_jpeg_scans=12)
    assert open_picture(BytesIO(bomb(progressive, 3)), limits=limits).size == (640, 480)
    with pytest.raises(PictureTooLargeError):
        open_picture(BytesIO(bomb(progressive, 4)), limits=limits)


def test_what_metadata_and_a_film_behind_the_picture_hold_does_not_count(
    rectangles: Callable[..., Image.Image], encode: Encode
) -> None:
    data = encode(rectangles(), "JPEG", comment=b"\xff\xda" * 1000) + b"\xff\xda" * 1000
    assert count_scans(data, at_most=100) == 1
    assert read_picture(BytesIO(data)).size == (640, 480)


def test_the_header_tells_of_most_photographs_that_there_is_one(
    rectangles: Callable[..., Image.Image], encode: Encode, progressive: bytes
) -> None:
    plain = encode(rectangles(), "JPEG", comment=b"\xff\xc2\xff\xda" * 100)
    assert has_one_scan(plain)
    assert has_one_scan(encode(rectangles().convert("L"), "JPEG"))
    assert not has_one_scan(progressive)
    assert not has_one_scan(plain[: plain.index(b"\xff\xda", 1000)])


def test_the_scans_that_such_a_header_hides_are_not_decoded(
    rectangles: Callable[..., Image.Image], encode: Encode
) -> None:
    data = bomb(encode(rectangles(), "JPEG"), 5000)
    begun = time.thread_time()
    with suppress(BrokenPictureError):
        read_picture(BytesIO(data))
    assert time.thread_time() - begun < 0.5


def test_a_sequential_picture_of_many_scans_is_counted(rectangles: Callable[..., Image.Image], encode: Encode) -> None:
    data = bytearray(bomb(encode(rectangles(), "JPEG"), 200))
    first = data.index(b"\xff\xda")
    data[first + 4] = 1  # the first scan has one of the three components
    assert not has_one_scan(bytes(data))
    with pytest.raises(PictureTooLargeError, match="more than 100 scans"):
        open_picture(BytesIO(bytes(data)))


@given(st.binary(max_size=200))
def test_of_any_bytes_a_header_tells_one_or_not(data: bytes) -> None:
    assert isinstance(has_one_scan(data), bool)


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_bytes_have_a_number(data: bytes, at_most: int) -> None:
    assert 0 <= count_scans(data, at_most=at_most) <= at_most + 1
