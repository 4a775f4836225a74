"""Masks as COCO's run lengths, against pycocotools."""

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from dirdet.detection.rle import Rle, encode

pycocotools: Any = importlib.import_module("pycocotools.mask")
Bools = NDArray[np.bool_]
MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))
MARGINS = st.tuples(*[st.integers(0, 40)] * 4)


def by_pycocotools(mask: Bools) -> dict[str, Any]:
    told = pycocotools.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": told["size"], "counts": told["counts"].decode()}


def whole(mask: Bools) -> Rle:
    return encode(mask, left=0, top=0, picture_hw=(mask.shape[0], mask.shape[1]))


@given(MASKS)
def test_a_mask_of_the_whole_picture(mask: Bools) -> None:
    rle = whole(mask)
    assert rle.to_json() == by_pycocotools(mask)
    np.testing.assert_array_equal(rle.decode(), mask)


@given(MASKS, MARGINS)
def test_a_part_is_encoded_where_it_lies(part: Bools, margins: tuple[int, int, int, int]) -> None:
    above, below, left, right = margins
    picture = np.pad(part, ((above, below), (left, right)))
    rle = encode(part, left=left, top=above, picture_hw=(picture.shape[0], picture.shape[1]))
    assert rle.to_json() == by_pycocotools(picture)
    np.testing.assert_array_equal(rle.decode(), picture)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4000, 3000)])
@pytest.mark.parametrize("inside", [False, True])
def test_nothing_and_everything(size: tuple[int, int], inside: bool) -> None:
    mask = np.full(size, inside)
    assert whole(mask).to_json() == by_pycocotools(mask)
    np.testing.assert_array_equal(whole(mask).decode(), mask)


def test_one_pixel_in_a_corner_of_a_large_picture() -> None:
    rle = encode(np.ones((1, 1), np.bool_), left=9999, top=9999, picture_hw=(10_000, 10_000))
    told = {"size": [10_000, 10_000], "counts": rle.counts.encode()}
    assert pycocotools.area(told) == 1
    assert pycocotools.toBbox(told).tolist() == [9999, 9999, 1, 1]


def test_run_lengths_that_alternate_between_short_and_long() -> None:
    # The differences that are written are then large, of either sign.
    mask = np.zeros(500_000, np.bool_)
    mask[:3], mask[5:300_000], mask[300_001:300_002], mask[499_999:] = True, True, True, True
    mask = mask.reshape(500, 1000).T
    assert whole(mask).to_json() == by_pycocotools(mask)
    np.testing.assert_array_equal(whole(mask).decode(), mask)
