"""Pictures onto canvases and boxes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dirdet.antialiasing import resize_antialiased, resize_by_pillow
from dirdet.bundle import CanvasSize, ResizeRule
from dirdet.canvas import Fit, fit_picture, paint, resize

RULE = ResizeRule(short_side=256, long_side=320, interpolation="antialiased")
CANVASES = [CanvasSize(height=256, width=320), CanvasSize(height=320, width=256), CanvasSize(height=320, width=320)]
SIDES = st.integers(1, 12_000)


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize(
    ("picture_hw", "resized_hw", "canvas_hw"),
    [
        ((480, 640), (240, 320), (256, 320)),
        ((640, 480), (320, 240), (320, 256)),
        ((500, 500), (256, 256), (256, 320)),
        ((100, 80), (320, 256), (320, 256)),
        ((3000, 4000), (240, 320), (256, 320)),
        ((1, 1), (256, 256), (256, 320)),
        ((1, 5000), (1, 320), (256, 320)),
        ((5000, 1), (320, 1), (320, 256)),
    ],
)
def test_the_smallest_canvas_that_holds_it(
    picture_hw: tuple[int, int], resized_hw: tuple[int, int], canvas_hw: tuple[int, int]
) -> None:
    assert fit_picture(picture_hw, rule=RULE, canvases=CANVASES) == Fit(picture_hw, resized_hw, canvas_hw)


def test_a_picture_that_fits_no_canvas_shrinks_as_little_as_possible() -> None:
    landscape = [CanvasSize(height=128, width=160), CanvasSize(height=160, width=320)]
    assert fit_picture((400, 300), rule=RULE, canvases=landscape) == Fit((400, 300), (160, 120), (160, 320))


@given(height=SIDES, width=SIDES)
def test_every_picture_lies_on_its_canvas(height: int, width: int) -> None:
    for canvases in (CANVASES, CANVASES[:1]):
        fit = fit_picture((height, width), rule=RULE, canvases=canvases)
        assert 1 <= fit.resized_hw[0] <= fit.canvas_hw[0]
        assert 1 <= fit.resized_hw[1] <= fit.canvas_hw[1]
        assert CanvasSize(height=fit.canvas_hw[0], width=fit.canvas_hw[1]) in canvases


@given(height=SIDES, width=SIDES, corners=st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_boxes_come_back_where_they_were(height: int, width: int, corners: list[float]) -> None:
    fit = fit_picture((height, width), rule=RULE, canvases=CANVASES)
    boxes = np.array([corners]) * [width, height, width, height]
    np.testing.assert_allclose(fit.to_picture(fit.to_canvas(boxes)), boxes, atol=1e-6)


@given(boxes=st.lists(st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4), max_size=5))
def test_boxes_come_back_inside_the_picture(boxes: list[list[float]]) -> None:
    fit = fit_picture((3000, 4000), rule=RULE, canvases=CANVASES)
    back = fit.to_picture(np.array(boxes).reshape(-1, 4))
    assert back.shape == (len(boxes), 4)
    assert np.all((back >= 0) & (back <= [4000, 3000, 4000, 3000]))


def test_the_picture_is_at_the_top_left_and_the_rest_is_zero() -> None:
    fit = fit_picture((480, 640), rule=RULE, canvases=CANVASES)
    canvas = paint(Image.new("RGB", (640, 480), "white"), fit, rule=RULE)
    assert canvas.shape == (256, 320, 3)
    assert canvas.dtype == np.uint8
    assert np.all(canvas[:240, :320] == 255)
    assert np.all(canvas[240:] == 0)


@pytest.mark.parametrize(("size", "resized_hw"), [((640, 480), (240, 320)), ((50, 40), (256, 320)), ((7, 5), (7, 3))])
def test_bilinear_is_what_opencv_computes(size: tuple[int, int], resized_hw: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is installed for training only; it is what bilinear compares with")
    source = noise(size[1], size[0])
    ours = np.asarray(resize(source, resized_hw, interpolation="bilinear"), np.int64)
    theirs = cv2.resize(np.asarray(source), resized_hw[::-1], interpolation=cv2.INTER_LINEAR).astype(np.int64)
    # Both round fixed-point weights.
    assert np.abs(ours - theirs).max() <= 2
    assert np.abs(ours - theirs).mean() < 0.5


def test_antialiased_sees_every_pixel_and_bilinear_four() -> None:
    stripes = Image.fromarray(np.tile(np.array([[[0] * 3], [[0] * 3], [[255] * 3], [[0] * 3]], np.uint8), (80, 64, 1)))
    antialiased = np.asarray(resize(stripes, (80, 64), interpolation="antialiased"))
    bilinear = np.asarray(resize(stripes, (80, 64), interpolation="bilinear"))
    assert np.abs(antialiased[5:-5].astype(int) - 64).max() <= 5
    assert np.abs(bilinear[5:-5].astype(int) - 128).max() <= 5


@given(st.tuples(st.integers(1, 400), st.integers(1, 400)), st.tuples(st.integers(1, 90), st.integers(1, 90)))
def test_by_vectors_as_by_pillow(size_wh: tuple[int, int], resized_wh: tuple[int, int]) -> None:
    noise = Image.merge("RGB", [Image.effect_noise(size_wh, 90) for _ in range(3)])
    ours, pillows = resize_antialiased(noise, resized_wh), resize_by_pillow(noise, resized_wh)
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(pillows)).max() <= 1


@pytest.mark.parametrize("interpolation", ["antialiased", "bilinear"])
def test_a_picture_of_the_right_size_is_left_alone(interpolation: str) -> None:
    picture = noise(24, 40)
    np.testing.assert_array_equal(resize(picture, (24, 40), interpolation=interpolation), picture)
