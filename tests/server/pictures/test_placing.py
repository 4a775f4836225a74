"""Picture files on canvases: exactly, and JPEGs decoded at less than their size."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import skimage
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dirdet.bundle.bundle import Manifest, ResizeRule
from dirdet.bundle.interpolation import ANTIALIASED, Decode, Interpolation
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.errors import BrokenPictureError, PictureTooLargeError
from dirdet.pictures.canvas import Fit, divisor_of, place_file, place_picture
from dirdet.pictures.orientation import UPRIGHT
from dirdet.pictures.reading import PictureLimits, read_picture

PHOTOGRAPH = Path(skimage.__file__).parent / "data" / "astronaut.png"
EXIF_ORIENTATION = 0x0112


def jpeg(size_wh: tuple[int, int], *, orientation: int = 1, mode: str = "RGB") -> BytesIO:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    file = BytesIO()
    with Image.open(PHOTOGRAPH) as photograph:
        picture = photograph.convert("RGB").resize(size_wh, Image.Resampling.BICUBIC).convert(mode)
    picture.save(file, "JPEG", quality=92, exif=exif)
    file.seek(0)
    return file


def resized_by(manifest: Manifest, interpolation: Interpolation) -> Manifest:
    rule = ResizeRule(short_side=192, long_side=256, interpolation=interpolation)
    return manifest.model_copy(update={"resize": rule})


# Sides that eight divides, and that leave as much over as they can: a seventh of a decoded pixel is then the picture's.
@pytest.mark.parametrize("orientation", [1, *UPRIGHT])
@pytest.mark.parametrize("size_wh", [(2400, 1600), (2057, 1545), (601, 833)])
def test_nearly_the_same_canvas(manifest: Manifest, size_wh: tuple[int, int], orientation: int) -> None:
    file = jpeg(size_wh, orientation=orientation)
    scaled = place_file(file, manifest, decode="scaled")
    file.seek(0)
    exact = place_file(file, manifest, decode="exact")
    assert scaled.fit == exact.fit
    assert scaled.decoded_scale < exact.decoded_scale == 1
    assert np.abs(scaled.canvas.astype(int) - exact.canvas).mean() < 2


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_modes(manifest: Manifest, mode: str) -> None:
    file = jpeg((2400, 1600), mode=mode)
    scaled = place_file(file, manifest, decode="scaled")
    file.seek(0)
    assert np.abs(scaled.canvas.astype(int) - place_file(file, manifest, decode="exact").canvas).mean() < 3


def test_exactly_is_as_training_reads(manifest: Manifest) -> None:
    file = jpeg((2400, 1600), orientation=6)
    placed = place_file(file, manifest, decode="exact")
    file.seek(0)
    expected = place_picture(read_picture(file), manifest)
    np.testing.assert_array_equal(placed.canvas, expected.canvas)
    assert placed.fit == expected.fit


@pytest.mark.parametrize(
    ("picture_hw", "resized_hw", "divisor"),
    [
        ((480, 640), (240, 320), 2),
        ((427, 640), (214, 320), 2),  # 213.5 rows are decoded as 214
        ((480, 640), (241, 320), 1),
        ((3000, 4000), (240, 320), 8),
        ((3000, 4000), (600, 800), 4),
        ((300, 400), (300, 400), 1),
        ((100, 100), (400, 400), 1),
        ((1, 8000), (1, 320), 1),  # no side is divided by more than it has
        ((1, 1), (1, 1), 1),
    ],
)
def test_the_scale_is_the_smallest_that_is_large_enough(
    picture_hw: tuple[int, int], resized_hw: tuple[int, int], divisor: int
) -> None:
    assert divisor_of(Fit(picture_hw, resized_hw, (800, 800))) == divisor


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, *UPRIGHT]))
def test_any_size_is_placed(manifest: Manifest, width: int, height: int, orientation: int) -> None:
    small = manifest.model_copy(
        update={"resize": ResizeRule(short_side=24, long_side=32, interpolation="pillow_bilinear")}
    )
    file = jpeg((width, height), orientation=orientation)
    placed = place_file(file, small, decode="scaled")
    file.seek(0)
    exact = place_file(file, small, decode="exact")
    assert placed.fit == exact.fit
    assert placed.canvas.shape == exact.canvas.shape


@pytest.mark.parametrize("interpolation", ["opencv_bilinear", "pillow_nearest", "bilinear"])
def test_a_resize_that_skips_pixels_is_given_all_of_them(manifest: Manifest, interpolation: Interpolation) -> None:
    assert interpolation not in ANTIALIASED
    assert place_file(jpeg((2400, 1600)), resized_by(manifest, interpolation), decode="scaled").decoded_scale == 1


@pytest.mark.parametrize("interpolation", ANTIALIASED)
def test_each_resize_that_reads_every_pixel_is_scaled(manifest: Manifest, interpolation: Interpolation) -> None:
    placed = place_file(jpeg((2057, 1545)), resized_by(manifest, interpolation), decode="scaled")
    assert placed.decoded_scale == 1 / 8


def test_other_types_stay_whole(manifest: Manifest) -> None:
    file = BytesIO()
    Image.new("RGB", (3000, 2000), "red").save(file, "PNG")
    file.seek(0)
    placed = place_file(file, manifest, decode="scaled")
    assert (placed.decoded_scale, placed.fit.picture_hw) == (1, (2000, 3000))


def test_the_limit_is_that_of_the_whole_picture(manifest: Manifest) -> None:
    with pytest.raises(PictureTooLargeError, match="2600 x 1700"):
        place_file(jpeg((2600, 1700)), manifest, decode="scaled", limits=PictureLimits(max_pixels=1_000_000))


@pytest.mark.parametrize("decode", get_args(Decode))
def test_a_truncated_one(manifest: Manifest, decode: Decode) -> None:
    whole = jpeg((2600, 1700)).getvalue()
    with pytest.raises(BrokenPictureError):
        place_file(BytesIO(whole[: len(whole) // 2]), manifest, decode=decode)


@pytest.mark.parametrize("orientation", [1, *UPRIGHT])
def test_boxes_are_where_they_are(detector: Detector, rectangles: Callable[..., Image.Image], orientation: int) -> None:
    """Within a pixel of the canvas, also at the far edges, where an unaccounted part of a pixel would show most."""
    width, height = 2041, 1529
    boxes = {"red": (0, 0, 600, 400), "blue": (width - 700, height - 500, width, height)}
    upright = rectangles(width, height, **boxes)
    file, exif = BytesIO(), Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    back = UPRIGHT | {6: UPRIGHT[8], 8: UPRIGHT[6]}
    stored = upright if orientation == 1 else upright.transpose(back[orientation])
    stored.save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    file.seek(0)
    placed = place_file(file, detector.manifest, decode="scaled")
    assert placed.decoded_scale == 1 / 8
    [found] = detector.detect_placed([placed], detector.settle(DetectOptions()))
    at = {each.label: each.box_xyxy for each in found.detections}
    pixel = 1 / placed.fit.scale_xyxy.min()
    for label, box in boxes.items():
        np.testing.assert_allclose(at[label], box, atol=1.01 * pixel)
