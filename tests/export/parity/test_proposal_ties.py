"""Tracing detections back to the anchors they come from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from dirdet_export.parity import proposal_ties
from dirdet_export.parity.compare import Comparison, compare_batch
from dirdet_export.parity.pictures import draw_pictures
from dirdet_export.parity.reference import NetworkBatch, as_mmdet_batch, found_by_mmdet, prepare
from dirdet_export.parity.serving import serving_engine
from dirdet_export.parity.table import render

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    return [np.asarray(picture.resize((150, 100 + 20 * number)), np.uint8) for number, (_, picture) in
            enumerate(draw_pictures()[:2])]  # fmt: skip


def batch_of(specimen: Any, pictures: list[NDArray[np.uint8]]) -> NetworkBatch:
    return prepare(specimen.model, as_mmdet_batch(pictures))


def test_every_detection_has_a_source_when_everything_is_fragile(
    specimen: Any, pictures: list[NDArray[np.uint8]]
) -> None:
    found = found_by_mmdet(specimen.model, pictures)
    for index, detections in enumerate(found):
        assert len(detections) > 0
        sources = proposal_ties.find_sources(specimen.model, batch_of(specimen, pictures), index, near=2.0)
        assert sources.explain(detections).all()
        detections.boxes_xyxy[:] += 3
        assert not sources.explain(detections).all()


def test_nothing_is_explained_when_nothing_is_fragile(specimen: Any, pictures: list[NDArray[np.uint8]]) -> None:
    sources = proposal_ties.find_sources(specimen.model, batch_of(specimen, pictures), 0, near=-1.0)
    assert not sources.explain(found_by_mmdet(specimen.model, pictures)[0]).any()


def test_rounding_decides_about_a_proposal_whose_side_is_about_the_least_allowed() -> None:
    """A side is measured inside the picture, of 100x200 pixels here, if boxes are clipped to it."""
    inside, outside = [10.0, 10, 30, 30], [10.0, 101, 30, 130]
    about = [[10.0, 99.999, 30, 130], [10.0, 100.001, 30, 130], [200.001, 10, 230, 30]]
    boxes = torch.tensor([inside, outside, *about])
    small, either = proposal_ties.small_sides(boxes, (100, 200), 0, 0.02)
    assert small.tolist() == [False, True, False, False, False]
    assert either.tolist() == [False, False, True, True, True]
    small, either = proposal_ties.small_sides(boxes, (100, 200), 20, 0.02)
    assert small.tolist() == [False, True, True, True, True]
    assert either.tolist() == [True, False, False, False, False]
    small, either = proposal_ties.small_sides(boxes, None, 20, 0.02)
    assert not small.any()
    assert either.tolist() == [True, True, True, True, True]
    assert not any(verdict.any() for verdict in proposal_ties.small_sides(boxes, (100, 200), -1, 0.02))


def test_a_small_picture_beside_large_ones_ties_more_anchors_than_one_can_count(
    dcn_specimen: Any, bundle_of: Callable[..., Path]
) -> None:
    """Most of its canvas is padding, where anchors score exactly alike; which of them go on is anybody's guess."""
    with Image.open(ROOT / "docs" / "example.jpg") as photograph:
        sizes = [(160, 110), (96, 128), (24, 20)]
        pictures = [np.asarray(photograph.convert("RGB").resize(size), np.uint8) for size in sizes]
    row = Comparison("small beside large")
    compare_batch(
        row,
        expected=found_by_mmdet(dcn_specimen.model, pictures),
        model=dcn_specimen.model,
        engine=serving_engine(bundle_of(dcn_specimen)),
        pictures=pictures,
        limits=dcn_specimen.limits,
    )
    assert row.passed, render([row])
    assert row.detections > 50
