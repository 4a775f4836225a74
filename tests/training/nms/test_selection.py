"""Clusters by one rank with representatives by another, voting, and what is reported, against the definitions."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou

from dirdet_training.nms import (
    Knots,
    Representative,
    Selection,
    SelectionError,
    Voting,
    confidence,
    ranked_nms,
    represented_nms,
    voted_boxes,
)


def crowd(seed: int, count: int, *, alike: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Crowded boxes, scores, ious and classes; with many that are alike, and some empty."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 40
    boxes = torch.cat([corners, corners + 5 + torch.rand(count, 2, generator=generator) * 40], dim=1)
    scores, ious = (torch.rand(count, generator=generator) for _ in range(2))
    if alike:
        boxes, scores, ious = (boxes / 16).round() * 16, (scores * 4).round() / 4, (ious * 4).round() / 4
    return boxes, scores, ious, torch.randint(0, 2, (count,), generator=generator)


def iou_of(boxes: Tensor, one: int, other: int) -> float:
    value = box_iou(boxes[[one]], boxes[[other]]).item()
    return 0.0 if math.isnan(value) else value


def represented_by_definition(boxes, ranks, fits, class_ids, threshold, member_iou) -> tuple[list[int], list[int]]:
    """Take the best ranked of what is left and what it covers; its best-fitting close member stands for both."""
    left = sorted(range(len(boxes)), key=lambda index: (-ranks[index].item(), index))
    heads: list[int] = []
    standing: list[int] = []
    while left:
        head = left.pop(0)
        members = [i for i in left if class_ids[i] == class_ids[head] and iou_of(boxes, i, head) > threshold]
        left = [index for index in left if index not in members]
        close = [head, *sorted(index for index in members if iou_of(boxes, index, head) > member_iou)]
        heads.append(head)
        standing.append(max(close, key=lambda index: fits[index].item()))  # the first of equals
    return heads, standing


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 25),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    member_iou=st.sampled_from([0.0, 0.5, 0.7, 1.0]),
    alike=st.booleans(),
)
def test_representatives_are_those_of_the_definition(seed, count, threshold, member_iou, alike):
    boxes, scores, ious, class_ids = crowd(seed, count, alike=alike)
    found = represented_nms(boxes, scores, ious, class_ids, iou_threshold=threshold, member_iou=member_iou)
    heads, standing = represented_by_definition(boxes, scores, ious, class_ids, threshold, member_iou)
    assert found.heads.tolist() == heads
    assert found.representatives.tolist() == standing


def voted_by_definition(boxes, weights, class_ids, kept, threshold, spread) -> list[list[float]]:
    voted: list[list[float]] = []
    for head in kept.tolist():
        whole, sums = 0.0, [0.0] * 4
        for index in range(len(boxes)):
            iou = iou_of(boxes, index, head)
            if class_ids[index] == class_ids[head] and iou > threshold:
                weight = weights[index].item() * math.exp(-((1 - iou) ** 2) / spread)
                whole += weight
                sums = [value + weight * side for value, side in zip(sums, boxes[index].tolist(), strict=True)]
        voted.append([value / whole for value in sums] if whole > 0 else boxes[head].tolist())
    return voted


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 25),
    threshold=st.sampled_from([0.0, 0.5, 1.0]),
    spread=st.sampled_from([0.01, 0.025, 1.0]),
    alike=st.booleans(),
)
def test_votes_are_those_of_the_definition(seed, count, threshold, spread, alike):
    boxes, scores, _, class_ids = crowd(seed, count, alike=alike)
    kept = ranked_nms(boxes, scores, class_ids, iou_threshold=0.5)
    voted = voted_boxes(boxes, scores, class_ids, kept, iou_threshold=threshold, spread=spread)
    expected = torch.tensor(voted_by_definition(boxes, scores, class_ids, kept, threshold, spread)).view(-1, 4)
    torch.testing.assert_close(voted, expected, atol=1e-3, rtol=1e-4)
    if count:
        assert bool((voted >= boxes.min(0).values - 1e-3).all())
        assert bool((voted <= boxes.max(0).values + 1e-3).all())


def test_boxes_all_alike_vote_for_themselves_to_the_bit():
    boxes = torch.tensor([[1.3, 2.7, 33.1, 44.9]]).repeat(7, 1)
    kept = torch.tensor([3])
    voted = voted_boxes(boxes, torch.rand(7), torch.zeros(7, dtype=torch.long), kept)
    assert torch.equal(voted, boxes[kept])


def test_where_nothing_weighs_anything_boxes_stay():
    boxes, _, _, class_ids = crowd(1, 9)
    kept = torch.arange(9)
    assert torch.equal(voted_boxes(boxes, torch.zeros(9), class_ids, kept), boxes)
    empty = torch.tensor([[5.0, 5, 5, 9]])
    assert torch.equal(voted_boxes(empty, torch.ones(1), torch.tensor([0]), torch.tensor([0])), empty)


@given(seed=st.integers(0, 10_000), count=st.integers(0, 30), weight=st.sampled_from([0.0, 0.5, 1.0]))
def test_unset_it_is_the_papers_nms(seed, count, weight):
    boxes, scores, ious, class_ids = crowd(seed, count)
    found = Selection(iou_weight=weight)(boxes, scores, ious, class_ids, iou_threshold=0.5)
    ranks = confidence(scores, ious, weight)
    kept = ranked_nms(boxes, ranks, class_ids, iou_threshold=0.5)
    assert torch.equal(found.indices, kept)
    assert torch.equal(found.confidences, ranks[kept])
    assert torch.equal(found.boxes_xyxy, boxes[kept])


ALL = [
    Selection(cluster_by=cluster_by, representative=representative, voting=voting, report_by=report_by)
    for cluster_by in ("confidence", "score")
    for representative in (None, Representative())
    for voting in (None, Voting(iou_power=2))
    for report_by in ("confidence", "score")
]


@pytest.mark.parametrize("selection", ALL)
@pytest.mark.parametrize("count", [0, 1, 40])
def test_each_step_is_what_it_says(selection, count):
    boxes, scores, ious, class_ids = crowd(3, count)
    found = selection(boxes, scores, ious, class_ids, iou_threshold=0.5)
    rated = {"score": scores, "confidence": confidence(scores, ious)}
    lead = rated[selection.cluster_by]
    kept = ranked_nms(boxes, lead, class_ids, iou_threshold=0.5).tolist()
    if selection.representative is not None:
        fits = confidence(scores, ious, 0.8)
        kept = represented_by_definition(boxes, lead, fits, class_ids, 0.5, 0.7)[1]
    reported = rated[selection.report_by]
    assert found.indices.tolist() == sorted(kept, key=lambda index: -reported[index].item())
    assert torch.equal(found.confidences, reported[found.indices])
    expected = boxes[found.indices]
    if selection.voting is not None:
        votes = voted_by_definition(boxes, scores * ious**2, class_ids, found.indices, 0.5, 0.025)
        expected = torch.tensor(votes).view(-1, 4)
    torch.testing.assert_close(found.boxes_xyxy, expected, atol=1e-3, rtol=1e-4)


def test_settings_are_read_from_a_test_cfg_and_wrong_ones_named():
    test_cfg: dict[str, Any] = {"score_thr": 0.05, "iou_weight": 0.7, "cluster_by": "score", "report_by": "score"}
    test_cfg |= {"representative": {"member_iou": 0.6}, "voting": {"spread": 0.01}}
    expected = Selection(0.7, "score", Representative(member_iou=0.6), Voting(spread=0.01), "score")
    assert Selection.of(test_cfg) == expected
    assert Selection.of({"score_thr": 0.05}) == Selection()
    with pytest.raises(SelectionError, match="report_by must be one of confidence, score, calibrated, not 'iou'"):
        Selection.of({"report_by": "iou"})
    with pytest.raises(SelectionError, match="voting has no setting 'sigma'; it has iou_power, spread, iou_threshold"):
        Selection.of({"voting": {"sigma": 1}})


@given(
    x=st.lists(st.integers(0, 100), min_size=1, max_size=8, unique=True).map(sorted),
    values=st.lists(st.floats(0, 1, width=32), max_size=20),
    data=st.data(),
)
def test_maps_are_numpys_interpolation(x, values, data):
    y = sorted(data.draw(st.lists(st.floats(0, 1, width=32), min_size=len(x), max_size=len(x))))
    knots = Knots(tuple(place / 100 for place in x), tuple(y))
    expected = np.interp(values, knots.x, knots.y) if values else np.zeros(0)
    np.testing.assert_allclose(knots(torch.tensor(values)).numpy(), expected, atol=1e-4)


def test_the_calibrated_product_is_reported():
    boxes, scores, ious, class_ids = crowd(2, 30)
    settings = {
        "report_by": "calibrated",
        "calibration": {"score": {"x": [0.0, 1.0], "y": [0.1, 0.7]}, "iou": {"x": [0.5], "y": [0.6]}},
    }
    found = Selection.of(settings)(boxes, scores, ious, class_ids, iou_threshold=0.5)
    assert set(found.indices.tolist()) == set(
        Selection()(boxes, scores, ious, class_ids, iou_threshold=0.5).indices.tolist()
    )
    torch.testing.assert_close(found.confidences, (0.1 + 0.6 * scores[found.indices]) * 0.6)
    with pytest.raises(SelectionError, match="report_by 'calibrated' needs a calibration"):
        Selection(report_by="calibrated")
    with pytest.raises(SelectionError, match="knots x and y of score and of iou: x must rise strictly"):
        Selection.of({"calibration": {"score": {"x": [1, 0], "y": [0, 1]}, "iou": {"x": [0], "y": [0]}}})


def test_wrong_inputs_are_named():
    boxes, scores, ious, class_ids = crowd(0, 3)
    with pytest.raises(ValueError, match="3, 3, 2, 3"):
        represented_nms(boxes, scores, ious[:2], class_ids, iou_threshold=0.5)
    with pytest.raises(ValueError, match=r"1\.5"):
        represented_nms(boxes, scores, ious, class_ids, iou_threshold=0.5, member_iou=1.5)
    with pytest.raises(ValueError, match="spread must be above 0, not 0"):
        voted_boxes(boxes, scores, class_ids, torch.tensor([0]), spread=0)
    with pytest.raises(ValueError, match="weights must not be negative"):
        voted_boxes(boxes, -scores, class_ids, torch.tensor([0]))
