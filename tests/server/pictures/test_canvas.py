"""Pictures onto canvases and boxes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dirdet.bundle.bundle import CanvasSize, ResizeRule
from dirdet.pictures.canvas import Fit, fit_picture, paint

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


SQUARE = [CanvasSize(height=320, width=320)]


@pytest.mark.parametrize(
    ("rule", "picture_hw", "resized_hw"),
    [
        ({"fixed_hw": (200, 300)}, (480, 640), (200, 300)),
        ({"factor": 0.5}, (333, 251), (167, 126)),
        ({"factor": 0.5, "keep_ratio": False}, (333, 251), (167, 126)),
        ({"factor": 0.3}, (77, 1001), (23, 299)),
        ({"factor": 0.3, "keep_ratio": False}, (77, 1001), (23, 300)),
        ({"rounds_down": True}, (479, 640), (239, 320)),
        ({}, (479, 640), (240, 320)),
        ({"factor": 4.0}, (100, 100), (320, 320)),  # no canvas holds it
    ],
)
def test_other_rules(rule: dict[str, object], picture_hw: tuple[int, int], resized_hw: tuple[int, int]) -> None:
    fit = fit_picture(picture_hw, rule=RULE.model_copy(update=rule), canvases=SQUARE)
    assert (fit.resized_hw, fit.canvas_hw) == (resized_hw, (320, 320))


@given(height=SIDES, width=SIDES, multiple=st.sampled_from([1, 32, 64]))
def test_a_canvas_of_the_picture_s_own(height: int, width: int, multiple: int) -> None:
    rule = RULE.model_copy(update={"canvas_multiple": multiple})
    fit = fit_picture((height, width), rule=rule, canvases=CANVASES)
    assert fit.resized_hw == fit_picture((height, width), rule=RULE, canvases=CANVASES).resized_hw
    for own, side in zip(fit.canvas_hw, fit.resized_hw, strict=True):
        assert own % multiple == 0
        assert side <= own < side + multiple
