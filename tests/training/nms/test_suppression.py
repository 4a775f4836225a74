from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dirdet_training.nms import ranked_nms, soft_nms
from dirdet_training.nms.ranks import ByDIR, Candidates, MissingHeadError
from dirdet_training.nms.suppression import SoftNMS
from dirdet_training.rivals import COLUMNS, RANKS, SUPPRESSIONS


def candidates(count: int, seed: int = 0) -> Candidates:
    generator = torch.Generator().manual_seed(seed)

    def boxes(number: int) -> torch.Tensor:
        corners = torch.rand(number, 2, generator=generator) * 60
        return torch.cat([corners, corners + 5 + torch.rand(number, 2, generator=generator) * 40], dim=1)

    return Candidates(
        boxes_xyxy=boxes(count),
        class_ids=torch.randint(0, 3, (count,), generator=generator),
        scores=torch.rand(count, generator=generator),
        ious=torch.rand(count, generator=generator),
        objects_xyxy=boxes(3),
        object_class_ids=torch.tensor([0, 1, 2]),
        learnt={name: torch.rand(count, generator=generator) for name in COLUMNS},
    )


@pytest.mark.parametrize("name", SUPPRESSIONS)
@given(count=st.integers(0, 30), seed=st.integers(0, 10_000), threshold=st.floats(0, 1))
def test_the_contract(name, count, seed, threshold):
    found = candidates(count, seed)
    indices, confidences, _ = SUPPRESSIONS[name](found, threshold)
    assert indices.dtype == torch.long
    assert len(indices) == len(confidences) == len(set(indices.tolist())) <= count
    assert set(indices.tolist()) <= set(range(count))
    assert confidences.tolist() == sorted(confidences.tolist(), reverse=True)
    assert bool(((confidences >= 0) & (confidences <= 1)).all())


@given(count=st.integers(0, 40), seed=st.integers(0, 10_000))
def test_hard_nms_is_ranked_nms_whatever_leads_it(count, seed):
    found = candidates(count, seed)
    for name, rank in RANKS.items():
        kept = SUPPRESSIONS[name](found, 0.5)
        ranks = rank(found)
        assert torch.equal(kept.indices, ranked_nms(found.boxes_xyxy, ranks, found.class_ids, iou_threshold=0.5))
        assert torch.equal(kept.confidences, ranks[kept.indices])


@pytest.mark.parametrize("name", SUPPRESSIONS)
def test_one_box_survives_with_its_rank(name):
    found = candidates(1, seed=3)
    kept = SUPPRESSIONS[name](found, 0.5)
    others = {"soft_nms_linear": "score", "soft_nms_gaussian": "score", "iou_nms": "score"}
    others |= dict.fromkeys(("dir_soft", "dir_voting", "clusters", "clusters_voting"), "dir")
    others |= dict.fromkeys(("dir_by_score", "clusters_by_score", "clusters_voting_by_score"), "score")
    expected = {**RANKS, **{other: RANKS[rank] for other, rank in others.items()}}[name](found)
    if name != "oracle":
        assert expected.item() > 0
    assert kept.indices.tolist() == [0]
    assert torch.equal(kept.confidences, expected)


def test_dir_soft_is_soft_nms_of_the_confidence():
    found = candidates(30)
    kept = SUPPRESSIONS["dir_soft"](found, 0.5)
    indices, decayed = soft_nms(found.boxes_xyxy, ByDIR()(found), found.class_ids, decay="gaussian")
    assert torch.equal(kept.indices, indices)
    assert torch.equal(kept.confidences, decayed)


def test_settings_reach_the_decay():
    found = replace(candidates(30), class_ids=torch.zeros(30, dtype=torch.long))
    soft, hard = SoftNMS("gaussian", sigma=2.0)(found, 0.5), SoftNMS("gaussian", sigma=0.1)(found, 0.5)
    assert soft.confidences.sum() > hard.confidences.sum()
    assert SoftNMS("gaussian", min_score=0.4)(found, 0.5).confidences.min() >= 0.4
    assert SoftNMS("linear")(found, 0.9).confidences.sum() > SoftNMS("linear")(found, 0.1).confidences.sum()


def test_iou_nms_takes_the_single_iou_first_then_dirs():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9]])
    found = replace(
        candidates(2),
        boxes_xyxy=boxes,
        class_ids=torch.tensor([0, 0]),
        ious=torch.tensor([0.9, 0.1]),
        learnt={"single_ious": torch.tensor([0.1, 0.9])},
    )
    assert SUPPRESSIONS["iou_nms"](found, 0.5).indices.tolist() == [1]
    assert SUPPRESSIONS["iou_nms"](replace(found, learnt={}), 0.5).indices.tolist() == [0]
    with pytest.raises(MissingHeadError, match="iou_nms"):
        SUPPRESSIONS["iou_nms"](replace(found, learnt={}, ious=None), 0.5)
