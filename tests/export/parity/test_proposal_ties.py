"""Tracing detections back to the anchors they come from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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
    specimen: Any, pictures: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal_ties, "NEAR", 2.0)
    found = found_by_mmdet(specimen.model, pictures)
    for index, detections in enumerate(found):
        assert len(detections) > 0
        sources = proposal_ties.find_sources(specimen.model, batch_of(specimen, pictures), index)
        assert sources.explain(detections).all()
        detections.boxes_xyxy[:] += 3
        assert not sources.explain(detections).all()


def test_nothing_is_explained_when_nothing_is_fragile(
    specimen: Any, pictures: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal_ties, "NEAR", -1.0)
    sources = proposal_ties.find_sources(specimen.model, batch_of(specimen, pictures), 0)
    assert not sources.explain(found_by_mmdet(specimen.model, pictures)[0]).any()


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
