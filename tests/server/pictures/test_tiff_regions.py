"""Parts of a TIFF are those of the decoded picture, however it is stored."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dirdet.errors import BrokenPictureError, NotAPictureError, PictureError, PictureTooLargeError
from dirdet.pictures.reading import PictureLimits, read_picture
from dirdet.pictures.regions import Decoded, open_regions

HEIGHT, WIDTH = 200, 310
SMALL = PictureLimits(max_pixels=40_000)
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
GREY = RGB[..., 0]
STORED: dict[str, tuple[Any, dict[str, Any]]] = {
    "tiled": (RGB, {"tile": (64, 48), "photometric": "rgb"}),
    "tiled deflate": (RGB, {"tile": (64, 48), "photometric": "rgb", "compression": "zlib", "predictor": True}),
    "strips": (RGB, {"rowsperstrip": 30, "photometric": "rgb", "compression": "zlib"}),
    "one strip": (RGB, {"photometric": "rgb"}),
    "big": (RGB, {"tile": (64, 48), "photometric": "rgb", "bigtiff": True}),
    "big-endian": (RGB, {"tile": (64, 48), "photometric": "rgb", "byteorder": ">"}),
    "alpha": (np.dstack([RGB, GREY]), {"tile": (64, 48), "photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "planes": (np.moveaxis(RGB, 2, 0), {"tile": (64, 48), "photometric": "rgb", "planarconfig": "separate"}),
    "plane strips": (np.moveaxis(RGB, 2, 0), {"rowsperstrip": 16, "photometric": "rgb", "planarconfig": "separate"}),
    "grey": (GREY, {"tile": (64, 48), "photometric": "minisblack"}),
    "grey strips": (GREY, {"rowsperstrip": 7, "photometric": "minisblack", "compression": "packbits"}),
    "inverted": (GREY, {"tile": (64, 48), "photometric": "miniswhite"}),
    "lzw": (RGB, {"tile": (64, 48), "photometric": "rgb", "compression": "lzw"}),
    "jpeg": (RGB, {"tile": (64, 48), "photometric": "rgb", "compression": "jpeg"}),
    "jpeg ycbcr": (RGB, {"tile": (64, 48), "photometric": "ycbcr", "compression": "jpeg"}),
}


def stored(pixels: Any, **how: Any) -> BytesIO:
    file = BytesIO()
    tifffile.imwrite(file, pixels, **how)
    file.seek(0)
    return file


@pytest.mark.parametrize("name", STORED)
def test_parts_are_those_of_the_decoded_picture(name: str) -> None:
    if name in ("grey strips", "lzw", "jpeg", "jpeg ycbcr"):
        pytest.importorskip("imagecodecs", reason="the extra tiff is not installed")
    pixels, how = STORED[name]
    file = stored(pixels, **how)
    whole = np.asarray(read_picture(file)).astype(int)
    file.seek(0)
    with open_regions(file, limits=SMALL) as regions:
        assert not isinstance(regions, Decoded)
        assert regions.size == (WIDTH, HEIGHT)
        # Two decoders of JPEG differ by rounding, and in how they enlarge the colours.
        tolerance = 0 if "jpeg" not in name else 3 if name == "jpeg" else 80
        for left, top, right, bottom in ((0, 0, WIDTH, HEIGHT), (50, 60, 130, 140), (0, 190, 5, 200), (300, 0, 310, 9)):
            part = np.asarray(regions.part((left, top, right, bottom), least_hw=(HEIGHT, WIDTH)))
            np.testing.assert_allclose(part, whole[top:bottom, left:right], atol=tolerance)


@given(
    rectangle=st.tuples(
        st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(1, WIDTH), st.integers(1, HEIGHT)
    ),
    name=st.sampled_from(["tiled deflate", "strips", "planes", "one strip"]),
)
@settings(max_examples=60)
def test_any_part(rectangle: tuple[int, int, int, int], name: str) -> None:
    left, top, width, height = rectangle
    right, bottom = min(left + width, WIDTH), min(top + height, HEIGHT)
    pixels, how = STORED[name]
    with open_regions(stored(pixels, **how), limits=SMALL) as regions:
        part = np.asarray(regions.part((left, top, right, bottom), least_hw=(HEIGHT, WIDTH)))
    np.testing.assert_array_equal(part, RGB[top:bottom, left:right])


def test_a_large_part_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirdet.pictures.tiff_regions.BAND_PIXELS", 20 * WIDTH)
    with open_regions(stored(RGB, tile=(64, 48), photometric="rgb"), limits=SMALL) as regions:
        part = regions.part((0, 0, WIDTH, HEIGHT), least_hw=(25, 30))
        assert part.size == (78, 50)  # by 4: twice as many pixels as needed, at least
        expected = Image.fromarray(RGB).reduce(4)
        np.testing.assert_array_equal(np.asarray(part), np.asarray(expected))


def test_a_picture_within_the_limits_is_decoded() -> None:
    with open_regions(stored(RGB, tile=(64, 48), photometric="rgb")) as regions:
        assert isinstance(regions, Decoded)


@pytest.mark.parametrize(
    ("pixels", "how", "message"),
    [
        (RGB.astype(np.uint16), {"photometric": "rgb", "tile": (64, 48)}, "3 samples of uint16"),
        (GREY > 100, {"photometric": "minisblack"}, "1 samples of bool"),
        (
            RGB,
            {"photometric": "rgb", "tile": (64, 48), "extratags": [(274, 3, 1, 6, True)]},
            "turned by its orientation",
        ),
    ],
)
def test_other_samples_are_named(pixels: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(NotAPictureError, match=message), open_regions(stored(pixels, **how), limits=SMALL):
        pass


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"compression": "zlib", "rowsperstrip": HEIGHT}, "a strip of the TIFF has 0.062 megapixels; at most 0.04"),
        (
            {"compression": "zlib", "tile": (192, 192)},
            "a row of tiles of the TIFF has 0.0737.* at most 0.04",
        ),
    ],
)
def test_parts_that_are_too_large_are_refused_with_the_limit(how: dict[str, Any], message: str) -> None:
    file = stored(RGB, photometric="rgb", **how)
    with pytest.raises(PictureTooLargeError, match=message), open_regions(file, limits=SMALL):
        pass


def test_other_large_pictures_and_files_are_refused_as_ever() -> None:
    file = BytesIO()
    Image.fromarray(RGB).save(file, "PNG")
    file.seek(0)
    with pytest.raises(PictureTooLargeError, match=r"at most 0\.04 are accepted"), open_regions(file, limits=SMALL):
        pass


def test_a_file_of_too_many_bytes_is_read_in_parts() -> None:
    with open_regions(stored(RGB, photometric="rgb"), limits=PictureLimits(max_bytes=10_000)) as regions:
        assert not isinstance(regions, Decoded)


@pytest.mark.parametrize("name", ["tiled deflate", "strips", "one strip"])
def test_a_file_that_is_cut_off_is_broken(name: str) -> None:
    pixels, how = STORED[name]
    whole = stored(pixels, **how).getvalue()
    read = 0
    for end in range(8, len(whole), len(whole) // 40):
        try:
            with open_regions(BytesIO(whole[:end]), limits=SMALL) as regions:
                regions.part((0, 0, WIDTH, HEIGHT), least_hw=(HEIGHT, WIDTH))
                read += 1
        except (BrokenPictureError, PictureTooLargeError):
            pass
    assert read == 0


@given(st.data())
@settings(max_examples=80)
def test_a_changed_file_is_read_or_refused(data: st.DataObject) -> None:
    changed = bytearray(stored(RGB, tile=(64, 48), photometric="rgb", compression="zlib").getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(4, 400))] = data.draw(st.integers(0, 255))
    try:
        with open_regions(BytesIO(bytes(changed)), limits=PictureLimits(max_bytes=1000, max_pixels=200_000)) as regions:
            width, height = regions.size
            regions.part((0, 0, min(width, 400), min(height, 400)), least_hw=(height, width))
    except PictureError:
        pass
