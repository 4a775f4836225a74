import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

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


@given(seed=st.integers(0, 10_000), count=st.integers(0, 40), threshold=st.floats(0.1, 0.9))
def test_ranked_by_the_score_it_is_torchvisions(seed, count, threshold):
    boxes, scores, class_ids = random_boxes(seed, count)
    kept = ranked_nms(boxes, scores, class_ids, iou_threshold=threshold)
    assert kept.tolist() == batched_nms(boxes, scores, class_ids, threshold).tolist()


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
