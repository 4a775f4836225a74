"""Results of the detector of rectangles, with masks, as a client gives them."""

from collections.abc import Callable

import pytest
from PIL import Image

from dirdet.client import ImageResult
from dirdet.detector.detector import Detector


@pytest.fixture
def result(mask_detector: Detector, rectangles: Callable[..., Image.Image]) -> ImageResult:
    """A red and a blue rectangle, blue first; masks are their upper halves."""
    picture = rectangles(red=(100, 60, 300, 200), blue=(80, 260, 560, 440))
    [found] = mask_detector.detect([picture])
    return ImageResult("a.jpg", 640, 480, tuple(found), detector="rectangles")


@pytest.fixture
def nothing() -> ImageResult:
    """Of a picture in which nothing was found."""
    return ImageResult("empty.jpg", 640, 480, detector="rectangles")
