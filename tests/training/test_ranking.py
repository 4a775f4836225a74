import pytest
import torch

from dirdet_training.ranking import RANKS, Candidates


def candidates(*, ious=(0.9, 0.4, 0.8)):
    return Candidates(
        boxes_xyxy=torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]]),
        class_ids=torch.tensor([0, 0, 1]),
        scores=torch.tensor([0.5, 0.9, 0.8]),
        ious=None if ious is None else torch.tensor(ious),
        objects_xyxy=torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]]),
        object_class_ids=torch.tensor([0, 0]),
    )


def test_each_rank_is_what_it_says():
    found = candidates()
    assert RANKS["score"](found).tolist() == pytest.approx([0.5, 0.9, 0.8])
    assert RANKS["dir"](found).tolist() == pytest.approx([0.45**0.5, 0.36**0.5, 0.64**0.5])
    # The third box fits an object perfectly, but of another class: the oracle gives it nothing.
    assert RANKS["oracle"](found).tolist() == pytest.approx([0.5**0.5, 0.45**0.5, 0])


def test_true_ious_with_and_without_regard_to_class():
    assert candidates().true_ious(same_class=False).tolist() == [1, 0.5, 1]
    assert candidates().true_ious(same_class=True).tolist() == [1, 0.5, 0]


def test_a_picture_without_objects_has_nothing_to_fit():
    empty = Candidates(
        boxes_xyxy=torch.rand(2, 4),
        class_ids=torch.tensor([0, 1]),
        scores=torch.tensor([0.5, 0.9]),
        ious=None,
        objects_xyxy=torch.zeros(0, 4),
        object_class_ids=torch.zeros(0, dtype=torch.long),
    )
    assert RANKS["oracle"](empty).tolist() == [0, 0]


def test_rank_dir_without_a_dir_head_says_so():
    with pytest.raises(ValueError, match="DIR head"):
        RANKS["dir"](candidates(ious=None))
