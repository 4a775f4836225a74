"""Candidates to detections: order, filters, figures and their JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.bundle.bundle import Manifest
from dirdet.detection import Detection
from dirdet.detection.ranking import combined_iou, confidence
from dirdet.detector.options import DetectOptions, settle
from dirdet.detector.postprocess import detections_of
from dirdet.engines.tensors import Candidates
from dirdet.pictures.canvas import Fit

FIT = Fit((480, 640), (192, 256), (192, 256))
FRACTIONS = st.floats(0, 1, width=32)


def candidates(rows: list[tuple[float, float, float]], class_id: list[int] | None = None) -> Candidates:
    """Candidates of (score, purity, integrity), all kept, in the order given."""
    size = len(rows)
    columns = np.array(rows, np.float32).reshape(1, size, 3)
    return Candidates(
        boxes_xyxy=np.tile(np.array([0, 0, 10, 10], np.float32), (1, size, 1)),
        class_id=np.array([class_id or [0] * size], np.int64),
        score=columns[..., 0],
        purity=columns[..., 1],
        integrity=columns[..., 2],
        num_candidates=np.array([size]),
        kept=np.arange(size)[None],
        num_detections=np.array([size]),
    )


def found(given: Candidates, manifest: Manifest, **options: object) -> list[Detection]:
    settings = settle(DetectOptions.checked(**options), manifest)
    return detections_of(given, 0, fit=FIT, manifest=manifest, settings=settings)


def test_none(manifest: Manifest) -> None:
    assert found(candidates([]), manifest) == []


def test_one(manifest: Manifest) -> None:
    [detection] = found(candidates([(0.81, 1, 1)], [2]), manifest)
    assert detection.box_xyxy == (0, 0, 25, 25)
    assert (detection.label, detection.class_id, detection.category_id) == ("blue", 2, 30)
    assert detection.iou == 1
    assert detection.confidence == pytest.approx(0.9)


def test_padding_is_no_detection(manifest: Manifest) -> None:
    padded = candidates([(0.9, 1, 1), (0, 0, 0)])
    padded.num_detections[0] = 1
    assert len(found(padded, manifest)) == 1


@given(rows=st.lists(st.tuples(FRACTIONS, FRACTIONS, FRACTIONS), max_size=3), iou_weight=FRACTIONS)
def test_the_json_agrees_with_itself(
    manifest: Manifest, rows: list[tuple[float, float, float]], iou_weight: float
) -> None:
    told = [each.to_json() for each in found(candidates(rows), manifest, iou_weight=iou_weight)]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    for each in told:
        assert each["iou"] == pytest.approx(combined_iou(each["purity"], each["integrity"]), abs=1e-3)
        assert each["confidence"] == pytest.approx(
            confidence(each["score"], each["iou"], iou_weight=iou_weight), abs=1e-3
        )
    ranks = [each["confidence"] for each in told]
    assert ranks == sorted(ranks, reverse=True)


def test_min_iou_reads_iou(manifest: Manifest) -> None:
    given = candidates([(0.9, 0.3, 0.9), (0.2, 0.9, 0.9)])
    assert [each.score for each in found(given, manifest, min_iou=0.5)] == pytest.approx([0.2])


def test_classes_by_name_or_id(manifest: Manifest) -> None:
    given = candidates([(0.9, 1, 1), (0.8, 1, 1), (0.7, 1, 1)], [0, 1, 2])
    assert [each.label for each in found(given, manifest, classes=["blue,red"])] == ["red", "blue"]
    assert [each.label for each in found(given, manifest, classes=["1", "blue"])] == ["green", "blue"]


def test_the_most_confident_remain(manifest: Manifest) -> None:
    given = candidates([(0.7, 1, 1), (0.9, 1, 1), (0.8, 1, 1)])
    assert [each.score for each in found(given, manifest, max_detections=2)] == pytest.approx([0.9, 0.8])


def test_a_plain_detector_has_scores_only(manifest: Manifest) -> None:
    full = candidates([(0.7, 1, 1)])
    plain = Candidates(
        full.boxes_xyxy, full.class_id, full.score, None, None, full.num_candidates, full.kept, full.num_detections
    )
    [detection] = found(plain, manifest.model_copy(update={"localization_confidence": None}))
    assert (detection.purity, detection.integrity, detection.iou) == (None, None, None)
    assert detection.confidence == detection.score
