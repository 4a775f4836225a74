import dataclasses

import pytest
import torch
from PIL import Image

from dirdet_training.study.collected import Collected, completed
from dirdet_training.study.pictures import DIFFERENT, OBJECT, figure_5
from dirdet_training.study.plots import delta_ious, figure_2, figure_4, strongest_differences


@pytest.fixture
def collected(picture, everything) -> Collected:
    return Collected((1, 2), (completed(picture(everything)), completed(picture(everything, score=(0.9, 0.6)))), (7,))


def test_the_iou_gained_is_of_the_proposals_own_object(collected, no_candidates):
    # Both boxes came from the narrow proposal, of IoU 0.55: one became exact, one stayed.
    assert sorted(delta_ious(collected)) == pytest.approx([0, 0, 0.45, 0.45], abs=1e-6)
    without = dataclasses.replace(no_candidates, proposals_xyxy=torch.zeros(0, 4))
    assert len(delta_ious(Collected((1,), (without,), (7,)))) == 0
    assert len(delta_ious(Collected((), (), ()))) == 0


def test_figure_2_has_a_line_for_each_checkpoint(collected, tmp_path):
    empty = Collected((), (), (7,))
    found = figure_2(tmp_path / "figure_2.svg", {"iter_1": collected, "iter_2": collected, "none": empty})
    assert found == {name: (pytest.approx(0.225), pytest.approx(0.225)) for name in ("iter_1", "iter_2")}
    assert (tmp_path / "figure_2.svg").stat().st_size > 1000
    assert figure_2(tmp_path / "nothing.svg", {"none": empty}) == {}
    assert not (tmp_path / "nothing.svg").exists()


def test_figure_4_has_a_panel_for_each_prediction_that_is_there(collected, picture, tmp_path):
    assert figure_4(tmp_path / "all.svg", collected)
    text = (tmp_path / "all.svg").read_text()
    assert text.count('id="axes_') == 4
    assert figure_4(tmp_path / "plain.svg", Collected((1,), (picture({}),), (7,)))
    assert (tmp_path / "plain.svg").read_text().count('id="axes_') == 1
    assert not figure_4(tmp_path / "nothing.svg", Collected((), (), (7,)))


def test_figure_5_shows_only_pictures_where_rankings_differ(collected, tmp_path):
    for number in (1, 2):
        Image.new("RGB", (96, 64), "grey").save(tmp_path / f"{number}.png")
    files = {number: tmp_path / f"{number}.png" for number in (1, 2)}
    written = figure_5(tmp_path / "out", collected, files, count=5, iou_threshold=0.5)
    # In picture 1 the score prefers the narrow box and DIR the exact one; in picture 2 only foresight is mistaken.
    assert [path.name for path in written] == ["figure_5_1.png", "figure_5_2.png"]
    with Image.open(written[0]) as sheet:
        assert sheet.size == (3 * 96 + 2 * 6, 64)
        assert sheet.getpixel((48, 30)) != (230, 40, 40)
        # DIR's exact box, in the third panel, is red: ranking by score did not keep it.
        assert sheet.getpixel((2 * (96 + 6) + 50, 30)) == (230, 40, 40)


def test_figure_5_shows_no_picture_where_outlines_are_asked_for(collected, tmp_path):
    file = tmp_path / "1.png"
    Image.new("RGB", (96, 64), (1, 2, 3)).save(file)
    [written] = figure_5(tmp_path / "out", collected, {1: file}, count=5, iou_threshold=0.5, outlines=True)
    with Image.open(written) as drawn:
        colours = {colour for _, colour in drawn.getcolors() or []}
    assert (1, 2, 3) not in colours
    assert {(255, 255, 255), OBJECT, DIFFERENT} <= colours


def test_without_objects_and_heads_there_is_no_figure_5(picture, tmp_path):
    plain = Collected((1,), (picture({}),), (7,))
    assert figure_5(tmp_path / "out", plain, {}, count=5, iou_threshold=0.5) == []


def test_the_strongest_come_first():
    assert strongest_differences([1.0, 3.0, 3.0, 0.0], 3) == [1, 2, 0]
    assert strongest_differences([], 3) == []
