"""Resizing by the libraries that detectors were trained with."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dirdet.bundle.interpolation import Interpolation
from dirdet.pictures.resizing import resize, resize_antialiased, resize_by_pillow


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def test_every_interpolation_is_computed() -> None:
    picture = noise(48, 64)
    seen = {name: resize(picture, (21, 30), interpolation=name) for name in get_args(Interpolation)}
    assert {(pixels.shape, pixels.dtype.name) for pixels in seen.values()} == {((21, 30, 3), "uint8")}
    assert (
        len({pixels.tobytes() for pixels in seen.values()}) >= len(seen) - 3
    )  # both libraries' nearest may agree, and both ways of Pillow's BILINEAR


def test_antialiased_sees_every_pixel_and_bilinear_four() -> None:
    stripes = Image.fromarray(np.tile(np.array([[[0] * 3], [[0] * 3], [[255] * 3], [[0] * 3]], np.uint8), (80, 64, 1)))
    antialiased = resize(stripes, (80, 64), interpolation="antialiased")
    bilinear = resize(stripes, (80, 64), interpolation="bilinear")
    assert np.abs(antialiased[5:-5].astype(int) - 64).max() <= 5
    assert np.abs(bilinear[5:-5].astype(int) - 128).max() <= 5


@given(st.tuples(st.integers(1, 400), st.integers(1, 400)), st.tuples(st.integers(1, 90), st.integers(1, 90)))
def test_by_vectors_as_by_pillow(size_wh: tuple[int, int], resized_wh: tuple[int, int]) -> None:
    noise = Image.merge("RGB", [Image.effect_noise(size_wh, 90) for _ in range(3)])
    ours, pillows = resize_antialiased(noise, resized_wh, None), resize_by_pillow(noise, resized_wh)
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(pillows)).max() <= 1


@pytest.mark.parametrize("interpolation", get_args(Interpolation))
def test_a_picture_of_the_right_size_is_left_alone(interpolation: Interpolation) -> None:
    picture = noise(24, 40)
    np.testing.assert_array_equal(resize(picture, (24, 40), interpolation=interpolation), picture)
