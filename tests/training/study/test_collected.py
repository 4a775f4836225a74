import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dirdet_training.study.collected import Collected, load, store
from dirdet_training.study.errors import StudyError


@pytest.mark.parametrize("pictures", [0, 1, 2])
def test_what_is_stored_is_read_again(tmp_path, picture, no_candidates, everything, pictures):
    full = picture(everything)
    everything_empty = {name: torch.zeros(0) for name in everything}
    empty = type(full)(**{**vars(no_candidates), "judgements": everything_empty, "proposals_xyxy": torch.zeros(0, 4)})
    stored = [full, empty][:pictures]
    store(tmp_path / "c.npz", Collected(tuple(range(pictures)), tuple(stored), (7, 9)))
    found = load(tmp_path / "c.npz")
    assert found.picture_ids == tuple(range(pictures))
    assert found.category_ids == (7, 9)
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]
    assert len(found.candidates) == pictures
    for ours, theirs in zip(stored, found.candidates, strict=True):
        for column in ("boxes_xyxy", "class_ids", "scores", "ious", "objects_xyxy", "object_class_ids"):
            torch.testing.assert_close(getattr(theirs, column), getattr(ours, column))
        torch.testing.assert_close(theirs.proposals_xyxy, ours.proposals_xyxy)
        for name, said in ours.judgements.items():
            assert torch.equal(theirs.judgements[name], said)


def test_what_follows_from_the_judgements_is_added(tmp_path, picture, everything):
    rivals = {"iou_net/refined/ious": (0.3, 0.4), "rank/refined/rank_scores": (0.5, 0.6)}
    store(tmp_path / "c.npz", Collected((1,), (picture(everything | rivals),), (7,)))
    [found] = load(tmp_path / "c.npz").candidates
    purity, integrity = found.judgements["dir/refined/purity"], found.judgements["dir/refined/integrity"]
    torch.testing.assert_close(found.judgements["dir/refined/geometric"], (purity * integrity).sqrt())
    torch.testing.assert_close(found.judgements["dir/refined/arithmetic"], (purity + integrity) / 2)
    torch.testing.assert_close(found.learnt["single_ious"], torch.tensor([0.3, 0.4]))
    torch.testing.assert_close(found.learnt["rank_scores"], torch.tensor([0.5, 0.6]))
    assert "fitness" not in found.learnt


@given(content=st.binary(max_size=64))
def test_a_broken_file_is_named(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("broken") / "c.npz"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=r"c\.npz cannot be read"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"none\.npz cannot be read"):
        load(tmp_path / "none.npz")
