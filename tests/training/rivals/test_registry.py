"""What is registered is whole: names, columns, judgements and rows agree."""

from collections import Counter

import pytest
import torch

from dirdet_training.nms.ranks import Candidates, MissingHeadError
from dirdet_training.rivals import COLUMNS, JUDGES, RIVALS, SUPPRESSIONS
from dirdet_training.rivals.rival import Rival
from dirdet_training.study.paper import TABLE_6
from dirdet_training.study.row_rankings import WAYS


def bare(**learnt: torch.Tensor) -> Candidates:
    """Two candidates of a detector with none but these heads."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9]])
    return Candidates(boxes, torch.tensor([0, 0]), torch.tensor([0.5, 0.9]), None, boxes[:1], torch.tensor([0]), learnt)


def test_names_stand_once():
    assert max(Counter(each.name for each in RIVALS).values()) == 1
    assert max(Counter(each.head for each in JUDGES).values()) == 1
    assert set(SUPPRESSIONS) < {each.name for each in RIVALS} <= set(WAYS)


@pytest.mark.parametrize("rival", [each for each in RIVALS if each.column], ids=lambda each: each.name)
def test_what_a_rival_ranks_by_is_its_column(rival: Rival):
    assert rival.judge is not None
    with pytest.raises(MissingHeadError, match="needs"):
        rival.suppression(bare(), 0.5)
    kept = rival.suppression(bare(**{str(rival.column): torch.tensor([1.0, 0.1])}), 0.5)
    assert kept.indices.tolist() == [0]


def test_a_study_finds_what_the_head_says():
    for rival in RIVALS:
        if rival.column and rival.judgement:
            assert rival.judge is not None
            *_, field = rival.judgement.split("/")
            logits = torch.zeros(2) if rival.name == "rank_nms" else torch.zeros(2, 5)
            assert rival.judge.says(logits, torch.tensor([0, 1]))[field].shape == (2,)
            assert rival.column in COLUMNS


def test_table_6_has_a_row_for_every_rival_with_a_title():
    rows = {row.label: row for row in TABLE_6.rows}
    for rival in RIVALS:
        if rival.title:
            row = rows[rival.title]
            assert (row.way, dict(row.paper), row.note) == (rival.name, dict(rival.paper), rival.note)
