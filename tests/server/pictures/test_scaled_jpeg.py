"""JPEGs decoded at less than their size."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from dirdet.batch.scaled_jpeg_trial import Trial, moved_in
from dirdet.detector.detector import Detector
from dirdet.errors import BrokenPictureError, PictureTooLargeError
from dirdet.pictures.reading import PictureLimits, read_picture
from dirdet.pictures.scaled_jpeg import is_scaled, place_scaled

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


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("size_wh", [(2600, 1700), (1400, 2000)])
def test_nearly_the_same_canvas(detector: Detector, size_wh: tuple[int, int], orientation: int) -> None:
    file = jpeg(size_wh, orientation=orientation)
    assert is_scaled(file, detector.manifest)
    file.seek(0)
    scaled = place_scaled(file, detector.manifest)
    file.seek(0)
    whole = detector.place(read_picture(file))
    assert scaled.fit == whole.fit
    assert np.abs(scaled.canvas.astype(int) - whole.canvas).mean() < 2


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_modes(detector: Detector, mode: str) -> None:
    file = jpeg((2600, 1700), mode=mode)
    scaled = place_scaled(file, detector.manifest)
    file.seek(0)
    whole = detector.place(read_picture(file))
    assert scaled.fit == whole.fit
    assert np.abs(scaled.canvas.astype(int) - whole.canvas).mean() < 3


def test_what_is_not_much_larger_stays_whole(detector: Detector) -> None:
    file = jpeg((900, 700))
    assert not is_scaled(file, detector.manifest)
    file.seek(0)
    scaled = place_scaled(file, detector.manifest)
    file.seek(0)
    np.testing.assert_array_equal(scaled.canvas, detector.place(read_picture(file)).canvas)


def test_other_types_stay_whole(detector: Detector) -> None:
    file = BytesIO()
    Image.new("RGB", (3000, 2000), "red").save(file, "PNG")
    file.seek(0)
    assert not is_scaled(file, detector.manifest)
    file.seek(0)
    assert place_scaled(file, detector.manifest).fit.picture_hw == (2000, 3000)


def test_the_limit_is_that_of_the_whole_picture(detector: Detector) -> None:
    with pytest.raises(PictureTooLargeError, match="2600 x 1700"):
        place_scaled(jpeg((2600, 1700)), detector.manifest, limits=PictureLimits(max_pixels=1_000_000))


def test_a_truncated_one(detector: Detector) -> None:
    whole = jpeg((2600, 1700)).getvalue()
    with pytest.raises(BrokenPictureError):
        place_scaled(BytesIO(whole[: len(whole) // 2]), detector.manifest)


def test_a_box_moved_or_lost(detector: Detector, rectangles: Callable[..., Image.Image]) -> None:
    [found] = detector.detect([rectangles()])
    [far] = detector.detect([rectangles(red=(80, 50, 180, 150))])
    assert moved_in(found, found) == 0
    assert moved_in(found, far) == moved_in(found, []) == len(found)
    assert moved_in([], far) == 0
    assert moved_in(found, [*far, *found]) == 0


@pytest.mark.parametrize(
    ("trial", "good", "words"),
    [
        (Trial(0, 0, 0), False, "no picture is large enough"),
        (Trial(64, 1000, 9), True, "9 of 1,000 boxes (0.9%) in 64 pictures move by more than 1 px; used"),
        (Trial(64, 1000, 10), False, "(1.0%) in 64 pictures move by more than 1 px; not used: expected fewer than 1%"),
        (Trial(3, 12, 0), False, "too few boxes to decide, expected 100"),
    ],
)
def test_a_verdict(trial: Trial, good: bool, words: str) -> None:
    assert trial.good_enough == good
    assert words in str(trial)
