from dataclasses import replace

import pytest
import torch

from dirdet_training.nms.ranks import Candidates, MissingHeadError
from dirdet_training.rivals import RANKS
from dirdet_training.rivals.fitness import ByFitness
from dirdet_training.rivals.rank_nms import ByRankScore


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


@pytest.mark.parametrize(
    ("name", "says"),
    [("dir", "DIR head"), ("single", "one number"), ("rank_nms", "ranking"), ("fitness_nms", "fitness")],
)
def test_a_rank_whose_head_is_missing_says_so(name, says):
    with pytest.raises(MissingHeadError, match=f"'{name}' needs .*{says}"):
        RANKS[name](candidates(ious=None))


def test_rivals_ranks_are_what_they_say():
    found = replace(
        candidates(),
        learnt={
            "single_ious": torch.tensor([0.5, 1, 0]),
            "rank_scores": torch.tensor([0.5, 0.4, 0.8]),
            "fitness": torch.tensor([0.2, 0.5, 1]),
        },
    )
    assert RANKS["single"](found).tolist() == pytest.approx([0.5, 0.9**0.5, 0])
    assert RANKS["rank_nms"](found).tolist() == pytest.approx([0.5, 0.6, 0.8])
    assert RANKS["fitness_nms"](found).tolist() == pytest.approx([0.1, 0.45, 0.8])
    assert ByFitness(power=2)(found).tolist() == pytest.approx([0.02, 0.225, 0.8])
    assert ByRankScore(rank_weight=1)(found).tolist() == pytest.approx([0.5, 0.4, 0.8])
