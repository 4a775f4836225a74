"""Tracing detections back to the anchors they come from."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dirdet_export.parity import proposal_ties
from dirdet_export.parity.pictures import draw_pictures
from dirdet_export.parity.reference import found_by_mmdet


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    return [np.asarray(picture.resize((150, 100 + 20 * number)), np.uint8) for number, (_, picture) in
            enumerate(draw_pictures()[:2])]  # fmt: skip


def test_every_detection_has_a_source_when_everything_is_fragile(
    specimen: Any, pictures: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal_ties, "NEAR", 2.0)
    found = found_by_mmdet(specimen.model, pictures)
    for index, detections in enumerate(found):
        assert len(detections) > 0
        sources = proposal_ties.find_sources(specimen.model, pictures, index)
        assert sources.explain(detections).all()
        detections.boxes_xyxy[:] += 3
        assert not sources.explain(detections).all()


def test_nothing_is_explained_when_nothing_is_fragile(
    specimen: Any, pictures: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal_ties, "NEAR", -1.0)
    sources = proposal_ties.find_sources(specimen.model, pictures, 0)
    assert not sources.explain(found_by_mmdet(specimen.model, pictures)[0]).any()
