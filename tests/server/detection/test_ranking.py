"""Eq. 5, the confidence, and the NMS that ranks by it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.detection.ranking import combined_iou, confidence, iou_with, ranked_nms

FRACTIONS = st.floats(0, 1)
BOXES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)).map(
        lambda corner: (corner[0], corner[1], corner[0] + corner[2], corner[1] + corner[3])
    ),
    max_size=12,
)


def test_no_boxes() -> None:
    assert combined_iou([], []).shape == (0,)
    assert confidence([], [], iou_weight=0.5).shape == (0,)
    assert ranked_nms([], [], [], iou_threshold=0.5).tolist() == []


def test_one_box() -> None:
    assert ranked_nms([[0, 0, 1, 1]], [0], [0.5], iou_threshold=0.5).tolist() == [0]


@pytest.mark.parametrize(
    ("purity", "integrity", "iou"), [(1, 1, 1), (0, 1, 0), (1, 0, 0), (0, 0, 0), (0.5, 1, 0.5), (0.8, 0.8, 2 / 3)]
)
def test_equation_5(purity: float, integrity: float, iou: float) -> None:
    assert combined_iou([purity], [integrity])[0] == pytest.approx(iou)


@given(purity=FRACTIONS, integrity=FRACTIONS)
def test_the_iou_is_at_most_either(purity: float, integrity: float) -> None:
    iou = combined_iou([purity], [integrity])[0]
    assert 0 <= iou <= min(purity, integrity) + 1e-12


@given(score=FRACTIONS, iou=FRACTIONS, iou_weight=FRACTIONS)
def test_the_confidence_lies_between_score_and_iou(score: float, iou: float, iou_weight: float) -> None:
    value = confidence([score], [iou], iou_weight=iou_weight)[0]
    assert min(score, iou) - 1e-9 <= value <= max(score, iou) + 1e-9


@given(score=FRACTIONS, iou=FRACTIONS)
def test_the_weights_that_have_a_meaning(score: float, iou: float) -> None:
    assert confidence([score], [iou], iou_weight=0)[0] == score
    assert confidence([score], [iou], iou_weight=1)[0] == iou
    assert confidence([score], [iou], iou_weight=0.5)[0] == pytest.approx(np.sqrt(score * iou))
    assert confidence([score], None, iou_weight=0.5)[0] == score


def test_the_rank_decides_who_survives() -> None:
    boxes = [[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]]
    assert ranked_nms(boxes, [0, 0, 0], [0.9, 0.8, 0.1], iou_threshold=0.5).tolist() == [0, 2]
    assert ranked_nms(boxes, [0, 0, 0], [0.8, 0.9, 0.1], iou_threshold=0.5).tolist() == [1, 2]


def test_classes_do_not_suppress_each_other() -> None:
    assert ranked_nms([[0, 0, 9, 9]] * 2, [0, 1], [0.1, 0.2], iou_threshold=0.5).tolist() == [1, 0]


@pytest.mark.parametrize("classes", [1, 3, 40])
def test_many_boxes_are_kept_as_one_after_another_would_be(classes: int) -> None:
    # More than are decided on together, with boxes, ranks and IoUs alike.
    draw = np.random.default_rng(classes)
    corners = draw.integers(0, 40, (500, 2))
    boxes = np.concatenate([corners, corners + draw.integers(0, 20, (500, 2))], axis=1).astype(np.float64)
    class_id, rank = draw.integers(0, classes, 500), draw.integers(0, 9, 500) / 8
    left = sorted(range(500), key=lambda index: -rank[index])
    expected: list[int] = []
    while left:
        best, *others = left
        expected.append(best)
        overlaps = iou_with(boxes[best], boxes[others])
        pairs = zip(others, overlaps, strict=True)
        left = [other for other, iou in pairs if class_id[other] != class_id[best] or iou <= 0.25]
    assert ranked_nms(boxes, class_id, rank, iou_threshold=0.25).tolist() == expected


@given(boxes=BOXES, data=st.data(), threshold=FRACTIONS)
def test_what_any_nms_promises(boxes: list[tuple[int, int, int, int]], data: st.DataObject, threshold: float) -> None:
    size = len(boxes)
    rank: list[float] = data.draw(st.lists(FRACTIONS, min_size=size, max_size=size))
    classes: list[int] = data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    kept: list[int] = [*map(int, ranked_nms(boxes, classes, rank, iou_threshold=threshold))]
    array = np.array(boxes, np.float64).reshape(-1, 4)
    assert [rank[i] for i in kept] == sorted((rank[i] for i in kept), reverse=True)
    for index in range(size):
        rivals = [
            other
            for other in kept
            if other != index
            and classes[other] == classes[index]
            and iou_with(array[index], array[[other]])[0] > threshold
        ]
        # A survivor overlaps no other; who is gone overlaps one that ranks at least as high.
        assert (not rivals) if index in kept else any(rank[other] >= rank[index] for other in rivals)
