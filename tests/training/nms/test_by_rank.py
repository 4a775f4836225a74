from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou, nms

from dirdet_training.nms import confidence, ranked_nms


def random_boxes(seed: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 60
    boxes = torch.cat([corners, corners + 5 + torch.rand(count, 2, generator=generator) * 40], dim=1)
    return boxes, torch.rand(count, generator=generator), torch.randint(0, 3, (count,), generator=generator)


def by_definition(boxes: Tensor, ranks: Tensor, class_ids: Tensor, threshold: float) -> list[int]:
    """Section 3.1, literally: keep the best of what is left, drop what it covers, repeat."""
    left = sorted(range(len(boxes)), key=lambda index: -ranks[index].item())
    kept: list[int] = []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [
            index
            for index in left
            if class_ids[index] != class_ids[best] or box_iou(boxes[[index]], boxes[[best]]).item() <= threshold
        ]
    return kept


def by_torchvision(boxes: Tensor, ranks: Tensor, class_ids: Tensor, threshold: float) -> list[int]:
    """torchvision's NMS of each class alone: no class is moved, and so nothing is rounded."""
    kept = [
        members[nms(boxes[members], ranks[members], threshold)]
        for class_id in class_ids.unique()
        for members in [(class_ids == class_id).nonzero()[:, 0]]
    ]
    return sorted(torch.cat(kept).tolist() if kept else [], key=lambda index: (-ranks[index].item(), index))


@given(seed=st.integers(0, 10_000), count=st.integers(0, 40), threshold=st.floats(0, 1))
def test_ranked_by_the_score_it_is_torchvisions(seed, count, threshold):
    boxes, scores, class_ids = random_boxes(seed, count)
    kept = ranked_nms(boxes, scores, class_ids, iou_threshold=threshold)
    assert kept.tolist() == by_torchvision(boxes, scores, class_ids, threshold)


@given(seed=st.integers(0, 10_000), count=st.integers(0, 40), quarters=st.integers(0, 4))
def test_ties_of_rank_and_of_iou_go_as_torchvisions_go(seed, count, quarters):
    # Corners on a coarse grid: many IoUs are the threshold exactly, many boxes are alike, some are empty.
    boxes, scores, class_ids = random_boxes(seed, count)
    boxes, scores = (boxes / 16).round() * 16, (scores * 4).round() / 4
    kept = ranked_nms(boxes, scores, class_ids, iou_threshold=quarters / 4)
    assert kept.tolist() == by_torchvision(boxes, scores, class_ids, quarters / 4)


def test_of_thousands_of_boxes_and_odd_class_numbers_the_same_are_kept():
    boxes, scores, class_ids = random_boxes(5, 4000)
    class_ids = torch.tensor([-3, 70_000, 2**40])[class_ids]
    kept = ranked_nms(boxes, scores, class_ids, iou_threshold=0.7)
    assert kept.tolist() == by_torchvision(boxes, scores, class_ids, 0.7)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_graph_has_torchvisions_operator():
    boxes, scores, class_ids = random_boxes(1, 30)
    traced: Any = torch.jit.trace(lambda *given: ranked_nms(*given, iou_threshold=0.5), (boxes, scores, class_ids))
    assert "torchvision::nms" in str(traced.inlined_graph)


@given(seed=st.integers(0, 10_000), count=st.integers(0, 25))
def test_any_rank_gives_what_the_definition_gives(seed, count):
    boxes, scores, class_ids = random_boxes(seed, count)
    ranks = torch.log(scores + 1e-3) * 7 - 100  # any real numbers, also negative ones
    kept = ranked_nms(boxes, ranks, class_ids, iou_threshold=0.5)
    assert kept.tolist() == by_definition(boxes, ranks, class_ids, 0.5)


def test_the_better_ranked_box_survives_a_better_scored_one():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10]])
    scores, ious = torch.tensor([0.9, 0.8]), torch.tensor([0.5, 0.9])
    same_class = torch.zeros(2, dtype=torch.long)
    assert ranked_nms(boxes, scores, same_class, iou_threshold=0.5).tolist() == [0]
    assert ranked_nms(boxes, confidence(scores, ious), same_class, iou_threshold=0.5).tolist() == [1]


def test_one_box_and_no_box():
    one = torch.tensor([[0.0, 0, 10, 10]])
    assert ranked_nms(one, torch.tensor([0.1]), torch.tensor([0]), iou_threshold=0.5).tolist() == [0]
    none = ranked_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.long), iou_threshold=0.5)
    assert none.tolist() == []


def test_lengths_and_threshold_are_checked():
    with pytest.raises(ValueError, match="2, 1, 2"):
        ranked_nms(torch.zeros(2, 4), torch.zeros(1), torch.zeros(2), iou_threshold=0.5)
    with pytest.raises(ValueError, match=r"1\.5"):
        ranked_nms(torch.zeros(2, 4), torch.zeros(2), torch.zeros(2), iou_threshold=1.5)


def test_weight_0_is_the_score_and_weight_1_the_iou():
    scores, ious = torch.tensor([0.25, 0.0, 1.0]), torch.tensor([0.81, 0.5, 0.0])
    assert torch.equal(confidence(scores, ious, 0), scores)
    assert torch.equal(confidence(scores, ious, 1), ious)
    assert confidence(scores, ious).tolist() == pytest.approx([0.45, 0, 0])
