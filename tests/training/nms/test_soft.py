import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dirdet_training.nms import soft_nms


def random_boxes(seed: int, count: int, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Crowded boxes, some of them twice and some empty."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 30
    boxes = torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * 40], dim=1)
    boxes[::7] = boxes[:1].clone()
    boxes[3::11, 2] = boxes[3::11, 0]
    return boxes, torch.rand(count, generator=generator), torch.randint(0, classes, (count,), generator=generator)


def plain_iou(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0


def by_the_paper(boxes, scores, class_ids, *, decay, iou_threshold, sigma, min_score) -> dict[int, float]:
    """Figure 2 of Soft-NMS, literally, over all classes at once: box by box, pair by pair."""
    left = dict(enumerate(scores.tolist()))
    corners, classes = boxes.tolist(), class_ids.tolist()
    kept: dict[int, float] = {}
    while left:
        best = max(left, key=lambda index: left[index])
        kept[best] = left.pop(best)
        for index in left:
            if classes[index] == classes[best]:
                iou = plain_iou(corners[index], corners[best])
                if decay == "gaussian":
                    left[index] *= math.exp(-iou * iou / sigma)
                elif iou >= iou_threshold:
                    left[index] *= 1 - iou
    return {index: score for index, score in kept.items() if score >= min_score}


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 40),
    classes=st.integers(1, 4),
    decay=st.sampled_from(["linear", "gaussian"]),
    iou_threshold=st.floats(0.05, 0.9),
    sigma=st.floats(0.05, 2),
)
def test_it_is_what_the_paper_says(seed, count, classes, decay, iou_threshold, sigma):
    boxes, scores, class_ids = random_boxes(seed, count, classes)
    settings = {"iou_threshold": iou_threshold, "sigma": sigma, "min_score": 0.01}
    kept, decayed = soft_nms(boxes, scores, class_ids, decay=decay, **settings)
    expected = by_the_paper(boxes, scores, class_ids, decay=decay, **settings)
    found = dict(zip(kept.tolist(), decayed.tolist(), strict=True))
    assert len(found) == len(kept), "no box is kept twice"
    # A score within rounding of the lowest allowed may fall on either side.
    for index in found.keys() ^ expected.keys():
        assert (found | expected)[index] == pytest.approx(0.01, rel=1e-4)
    for index in found.keys() & expected.keys():
        assert found[index] == pytest.approx(expected[index], rel=1e-4, abs=1e-6)
    assert decayed.tolist() == sorted(decayed.tolist(), reverse=True)


def test_exact_values():
    # The IoU of the first two is 1/2; the third touches nothing.
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]])
    scores, class_ids = torch.tensor([0.9, 0.8, 0.5]), torch.zeros(3, dtype=torch.long)
    kept, linear = soft_nms(boxes, scores, class_ids, decay="linear", iou_threshold=0.5)
    assert kept.tolist() == [0, 2, 1]
    assert linear.tolist() == pytest.approx([0.9, 0.5, 0.4])
    _, untouched = soft_nms(boxes, scores, class_ids, decay="linear", iou_threshold=0.51)
    assert torch.equal(untouched, scores)
    kept, gaussian = soft_nms(boxes, scores, class_ids, decay="gaussian", sigma=0.5)
    assert kept.tolist() == [0, 2, 1]
    assert gaussian.tolist() == pytest.approx([0.9, 0.5, 0.8 * math.exp(-0.5)])
    assert torch.equal(gaussian[:2], scores[[0, 2]]), "what lost nothing is the same to the bit"


@pytest.mark.parametrize("decay", ["linear", "gaussian"])
def test_no_box_and_one_box(decay):
    none = soft_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.long), decay=decay)
    assert [part.tolist() for part in none] == [[], []]
    one = soft_nms(torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([0.25]), torch.tensor([3]), decay=decay)
    assert [part.tolist() for part in one] == [[0], [0.25]]
    low = soft_nms(torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([0.0]), torch.tensor([3]), decay=decay)
    assert [part.tolist() for part in low] == [[], []]


@pytest.mark.parametrize("decay", ["linear", "gaussian"])
def test_of_identical_boxes_the_first_keeps_its_score(decay):
    boxes, scores = torch.tensor([[0.0, 0, 9, 9]]).repeat(3, 1), torch.full((3,), 0.5)
    kept, decayed = soft_nms(boxes, scores, torch.tensor([1, 0, 1]), decay=decay, sigma=0.5)
    # Boxes 0 and 1 are of different classes; box 2 lies on box 0.
    assert kept.tolist()[:2] == [0, 1]
    assert decayed.tolist()[:2] == [0.5, 0.5]
    assert decayed.tolist()[2:] == pytest.approx([] if decay == "linear" else [0.5 * math.exp(-2)])


def test_half_precision_comes_back_as_it_went_in():
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8]])
    kept, decayed = soft_nms(boxes.half(), torch.tensor([0.5, 0.25]).half(), torch.tensor([0, 0]), decay="linear")
    assert kept.dtype == torch.long
    assert decayed.dtype == torch.float16


def test_bad_input_is_named():
    box, score, class_id = torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([0.5]), torch.tensor([0])
    with pytest.raises(ValueError, match="1, 2, 1"):
        soft_nms(box, torch.rand(2), class_id, decay="linear")
    with pytest.raises(ValueError, match="'hard'"):
        soft_nms(box, score, class_id, decay="hard")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="above 0, not 0 and"):
        soft_nms(box, score, class_id, decay="gaussian", sigma=0)
    with pytest.raises(ValueError, match=r"above 0, not 0\.5 and 0"):
        soft_nms(box, score, class_id, decay="gaussian", min_score=0)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        soft_nms(box, score * 3, class_id, decay="linear")
    with pytest.raises(ValueError, match="finite"):
        soft_nms(box / 0, score, class_id, decay="linear")
