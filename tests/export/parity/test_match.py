"""How boxes of both sides are paired, and which differences are excused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.parity.compare import Comparison, compare_picture
from dirdet_export.parity.found_boxes import Found
from dirdet_export.parity.match import pair_up
from dirdet_export.parity.proposal_ties import Sources
from dirdet_export.parity.table import render

LIMITS = Limits(
    max_candidates=50, max_detections=5, score_threshold=0.05, nms_iou_threshold=0.5, iou_weight=0.5, predicts_iou=False
)
BOXES = [[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 70.0, 90.0], [50.0, 51.0, 70.0, 92.0]]


def found(boxes: list[list[float]], scores: list[float], classes: list[int] | None = None) -> Found:
    score = np.array(scores, np.float64)
    return Found(
        boxes_xyxy=np.array(boxes, np.float64).reshape(-1, 4),
        class_id=np.array(classes or [0] * len(scores), np.int64),
        score=score,
        purity=None,
        integrity=None,
        iou=None,
        confidence=score,
    )


def sources(*fragile: tuple[list[float], float]) -> Sources:
    boxes = torch.tensor([box for box, _ in fragile]).view(-1, 1, 4)
    scores = torch.tensor([[score, 0.0] for _, score in fragile]).view(-1, 2)
    return Sources(boxes, scores, torch.ones(len(fragile), dtype=torch.bool))


def compare(
    expected: Found, served: Found, candidates: Found | None = None, origin: Sources | None = None
) -> Comparison:
    row = Comparison("test")
    compare_picture(
        row,
        expected=expected,
        served=served,
        candidates=lambda: candidates or served,
        limits=LIMITS,
        sources=lambda _: origin or sources(),
    )
    return row


def test_two_empty_sides_agree() -> None:
    row = compare(found([], []), found([], []))
    assert row.passed
    assert row.detections == 0


def test_one_box_on_one_side_is_missing_or_surplus() -> None:
    one, none = found(BOXES[:1], [0.8]), found([], [])
    assert compare(one, none).missing == 1
    assert compare(none, one).surplus == 1
    assert not compare(one, none).passed


def test_pairs_by_overlap_whatever_the_order() -> None:
    pairs = pair_up(found(BOXES, [0.9, 0.8, 0.7]), found(BOXES[::-1], [0.7, 0.8, 0.9]))
    assert sorted(zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)) == [(0, 2), (1, 1), (2, 0)]
    assert pairs.close().all()


def test_another_class_is_no_match() -> None:
    row = compare(found(BOXES[:1], [0.9], [1]), found(BOXES[:1], [0.9], [0]))
    assert (row.missing, row.surplus) == (1, 1)


@pytest.mark.parametrize(("shift", "passed"), [(0.49, True), (0.51, False)])
def test_half_a_pixel(shift: float, passed: bool) -> None:
    moved = [[left + shift, top, right, bottom] for left, top, right, bottom in BOXES[:2]]
    row = compare(found(BOXES[:2], [0.9, 0.8]), found(moved, [0.9, 0.8]))
    assert row.passed is passed
    assert row.largest["box"] == pytest.approx(shift)


@pytest.mark.parametrize(("change", "passed"), [(0.009, True), (0.011, False)])
def test_a_hundredth_of_confidence(change: float, passed: bool) -> None:
    row = compare(found(BOXES[:1], [0.9]), found(BOXES[:1], [0.9 - change]))
    assert row.passed is passed
    assert row.beyond == (not passed)


def test_a_score_at_the_threshold_is_a_near_tie() -> None:
    row = compare(found(BOXES[:2], [0.9, 0.05005]), found(BOXES[:1], [0.9]))
    assert row.passed
    assert row.near_ties == 1
    assert not compare(found(BOXES[:2], [0.9, 0.0502]), found(BOXES[:1], [0.9])).passed


def test_equal_ranks_in_nms_are_a_near_tie() -> None:
    # The two overlap with an IoU of 0.93: whichever ranks higher suppresses the other.
    both = found(BOXES[1:], [0.80001, 0.8])
    row = compare(found(BOXES[1:2], [0.80001]), found(BOXES[2:], [0.8]), candidates=both)
    assert row.passed
    assert row.near_ties == 2
    apart = found(BOXES[1:], [0.81, 0.8])
    assert not compare(found(BOXES[1:2], [0.81]), found(BOXES[2:], [0.8]), candidates=apart).passed


def test_a_near_tie_of_boxes_that_overlap_beside_the_picture() -> None:
    # Below a picture of 60 pixels both are clipped to lines that do not overlap.
    beside = np.array([[0.0, 58.0, 40.0, 100.0], [1.0, 60.0, 40.0, 100.0]])
    clipped = [[0.0, 58.0, 40.0, 60.0], [1.0, 60.0, 40.0, 60.0]]
    candidates = replace(found(clipped, [0.8, 0.8]), unclipped_xyxy=beside)
    expected, served = found(clipped[:1], [0.8]), found(clipped[1:], [0.8])
    row = compare(expected, served, candidates)
    assert row.passed
    assert row.near_ties == 2
    assert not compare(expected, served, found(clipped, [0.8, 0.8])).passed


@pytest.mark.parametrize(("noise", "excused"), [(0.0, False), (4e-4, True), (5e-3, True)])
@pytest.mark.parametrize(("gap", "possible"), [(7e-4, True), (2e-3, False)])
def test_what_is_near_follows_the_rounding_of_the_matched_boxes(
    noise: float, excused: bool, gap: float, possible: bool
) -> None:
    scores = [0.9, 0.8 + gap, 0.8]
    expected, served = found(BOXES[:2], scores[:2]), found([BOXES[0], BOXES[2]], [0.9 - noise, 0.8])
    row = compare(expected, served, candidates=found(BOXES, scores))
    assert row.passed is (excused and possible)


def test_an_overlap_at_the_threshold_is_a_near_tie() -> None:
    at_threshold = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0]]
    row = compare(found(at_threshold, [0.9, 0.5]), found(at_threshold[:1], [0.9]), found(at_threshold, [0.9, 0.5]))
    assert row.passed
    assert row.near_ties == 1


def test_a_chain_that_begins_with_a_near_tie() -> None:
    # The first hangs on the score's threshold; where it lives it suppresses the second.
    boxes = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 8.0]]
    row = compare(found(boxes[:1], [0.05005]), found(boxes[1:], [0.3]), found(boxes[1:], [0.3]))
    assert row.passed
    assert row.near_ties == 2


def test_a_full_list_cuts_the_last() -> None:
    boxes = [[20.0 * number, 0.0, 20.0 * number + 10, 10.0] for number in range(6)]
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.50005]
    expected, served = found(boxes[:5], scores[:5]), found([*boxes[:4], boxes[5]], [*scores[:4], scores[5]])
    row = compare(expected, served, candidates=found(boxes, scores))
    assert row.passed
    assert row.near_ties == 2
    assert compare(expected, served, candidates=served).missing == 1


def test_a_fragile_proposal_excuses_its_own_box_only() -> None:
    expected, served = found(BOXES[:2], [0.9, 0.6]), found(BOXES[:1], [0.9])
    assert compare(expected, served, origin=sources((BOXES[1], 0.6))).passed
    assert not compare(expected, served, origin=sources((BOXES[0], 0.6))).passed
    assert not compare(expected, served, origin=sources((BOXES[1], 0.3))).passed


def test_the_table_names_every_figure() -> None:
    text = render([compare(found(BOXES, [0.9, 0.8, 0.7]), found(BOXES, [0.9, 0.8, 0.7]))])
    for heading in ("detections", "box px", "purity", "near-ties", "missing"):
        assert heading in text
    assert "0.0e+00" in text
