import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou

from dirdet_training.nms import iou_nms, ranked_nms


def random_boxes(seed: int, count: int, classes: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Crowded boxes with some scores and IoUs alike."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 40
    boxes = torch.cat([corners, corners + 5 + torch.rand(count, 2, generator=generator) * 40], dim=1)
    scores = (torch.rand(count, generator=generator) * 20).round() / 20
    ious = (torch.rand(count, generator=generator) * 20).round() / 20
    return boxes, scores, ious, torch.randint(0, classes, (count,), generator=generator)


def by_algorithm_1(boxes, scores, ious, class_ids, threshold) -> list[tuple[int, float]]:
    """Algorithm 1 of IoU-Net, literally, class by class; of equal predicted IoUs the lower index goes first."""
    found: list[tuple[int, float]] = []
    for class_id in set(class_ids.tolist()):
        left = [index for index in range(len(boxes)) if class_ids[index] == class_id]
        while left:
            best = max(left, key=lambda index: (ious[index].item(), -index))
            left.remove(best)
            score = scores[best].item()
            for other in list(left):
                if box_iou(boxes[[best]], boxes[[other]]).item() > threshold:
                    score = max(score, scores[other].item())
                    left.remove(other)
            found.append((best, score))
    return found


@given(seed=st.integers(0, 10_000), count=st.integers(0, 25), classes=st.integers(1, 3), threshold=st.floats(0.1, 0.9))
def test_it_is_algorithm_1(seed, count, classes, threshold):
    boxes, scores, ious, class_ids = random_boxes(seed, count, classes)
    kept, confidences = iou_nms(boxes, scores, ious, class_ids, iou_threshold=threshold)
    expected = by_algorithm_1(boxes, scores, ious, class_ids, threshold)
    assert sorted(zip(kept.tolist(), confidences.tolist(), strict=True)) == sorted(expected)
    assert confidences.tolist() == sorted(confidences.tolist(), reverse=True)


@given(seed=st.integers(0, 10_000), count=st.integers(0, 40))
def test_ranked_by_the_score_it_is_plain_nms(seed, count):
    boxes, _, _, class_ids = random_boxes(seed, count, 3)
    scores = torch.rand(count, generator=torch.Generator().manual_seed(seed))
    kept, confidences = iou_nms(boxes, scores, scores, class_ids, iou_threshold=0.5)
    assert kept.tolist() == ranked_nms(boxes, scores, class_ids, iou_threshold=0.5).tolist()
    assert torch.equal(confidences, scores[kept])


def test_the_survivor_inherits_the_clusters_best_score():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 8], [50, 50, 60, 60]])
    scores, ious = torch.tensor([0.3, 0.9, 0.4, 0.5]), torch.tensor([0.8, 0.2, 0.1, 0.05])
    kept, confidences = iou_nms(boxes, scores, ious, torch.zeros(4, dtype=torch.long), iou_threshold=0.5)
    assert kept.tolist() == [0, 3]
    assert confidences.tolist() == pytest.approx([0.9, 0.5])


def test_no_box_one_box_and_identical_boxes():
    none = iou_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0), torch.zeros(0, dtype=torch.long), iou_threshold=1)
    assert [part.tolist() for part in none] == [[], []]
    box = torch.tensor([[0.0, 0, 9, 9]])
    one = iou_nms(box, torch.tensor([0.25]), torch.tensor([0.5]), torch.tensor([7]), iou_threshold=0.5)
    assert [part.tolist() for part in one] == [[0], [0.25]]
    kept, confidences = iou_nms(
        box.repeat(3, 1), torch.tensor([0.25, 0.5, 0.75]), torch.full((3,), 0.5), torch.tensor([0, 0, 1]),
        iou_threshold=0.5,
    )  # fmt: skip
    assert kept.tolist() == [2, 0], "class 1's box has the higher score; of class 0's equal boxes the first survives"
    assert confidences.tolist() == [0.75, 0.5]


def test_empty_boxes_suppress_nothing():
    boxes = torch.tensor([[5.0, 5, 5, 5], [5, 5, 5, 5]])
    kept, confidences = iou_nms(boxes, torch.tensor([0.25, 0.5]), torch.rand(2), torch.tensor([0, 0]), iou_threshold=0)
    assert kept.tolist() == [1, 0]
    assert confidences.tolist() == [0.5, 0.25]


def test_lengths_are_checked():
    with pytest.raises(ValueError, match="2, 2, 1, 2"):
        iou_nms(torch.zeros(2, 4), torch.zeros(2), torch.zeros(1), torch.zeros(2), iou_threshold=0.5)
