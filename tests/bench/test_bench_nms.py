"""dirdet bench nms: what is counted, what is left out, and what the file says."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from dirdet.cli import cli
from dirdet.errors import ParameterError
from dirdet_bench.training import mmcv_soft_nms, nms
from dirdet_bench.training.nms_variants import MMCV, TORCHVISION, Variant, difference, variants
from dirdet_bench.training.random_boxes import PICTURE_WH, PIXEL, random_boxes
from dirdet_training.nms.ranks import Candidates
from dirdet_training.nms.suppression import Kept
from dirdet_training.rivals import RANKS

CPU = torch.device("cpu")


@pytest.mark.parametrize("layout", ["clusters", "random"])
@pytest.mark.parametrize("count", [1, 30, 700])
def test_boxes_lie_in_a_picture_that_can_be_ranked_in_one_way(layout, count):
    found = random_boxes(layout, count, classes=4, seed=1, device=CPU)
    again = random_boxes(layout, count, classes=4, seed=1, device=CPU)
    assert torch.equal(found.boxes_xyxy, again.boxes_xyxy)
    assert found.boxes_xyxy.shape == (count, 4)
    assert bool((found.boxes_xyxy % PIXEL == 0).all())
    assert bool((found.boxes_xyxy[:, 2:] >= found.boxes_xyxy[:, :2]).all())
    assert bool((found.boxes_xyxy <= torch.tensor(PICTURE_WH * 2)).all())
    assert len(found.scores.unique()) == count
    assert all(bool(((rank(found) >= 0) & (rank(found) <= 1)).all()) for rank in RANKS.values())


def test_boxes_in_clusters_have_neighbours():
    kept = {
        layout: len(variants(count=800, mmcv_nms=None)[TORCHVISION].run(boxes).indices)
        for layout in ("clusters", "random")
        for boxes in [random_boxes(layout, 800, classes=5, seed=0, device=CPU)]
    }
    assert kept["clusters"] < 400 < kept["random"]


def test_the_report_has_every_nms_and_its_goal(tmp_path: Path):
    out, drawn = tmp_path / "nms.json", tmp_path / "nms.svg"
    sizes = ["--boxes", "40", "--boxes", "90", "--classes", "3", "--layout", "clusters", "--device", "cpu"]
    told = ["bench", "nms", *sizes, "--no-mmcv", "--rounds", "2", "--json", str(out), "--plot", str(drawn)]
    result = CliRunner().invoke(cli, told)
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text())
    assert content["command"] == f"dirdet bench nms {' '.join(sizes)} --no-mmcv --rounds 2"
    rows = {row["name"]: row for row in content["rows"] if row["group"] == "90 boxes, clusters, 3 classes"}
    assert {f"ranked by {name}" for name in RANKS} | {"iou_nms", "soft_nms_linear", "dir_soft"} <= rows.keys()
    assert rows["ranked by dir"]["against"] == TORCHVISION
    assert rows["ranked by dir"]["goal"] == {"at_most": 1.1}
    assert rows["ranked by dir"]["met"] == (rows["ranked by dir"]["ratio"]["median"] <= 1.1)
    assert rows["soft_nms_linear"]["goal"] is None, "nothing to compare with"
    assert "| 90 boxes, clusters, 3 classes | ranked by dir | " in result.stdout
    assert "<svg" in drawn.read_text()


def test_what_answers_otherwise_is_not_counted(monkeypatch: pytest.MonkeyPatch):
    def first_alone(candidates: Candidates) -> Kept:
        return Kept(torch.tensor([0]), candidates.scores[:1])

    def one_wrong(**given: Any) -> dict[str, Variant]:
        found = variants(**given)
        return {**found, "iou_nms": Variant(first_alone, TORCHVISION)}

    monkeypatch.setattr(nms, "variants", one_wrong)
    on = nms.Boxes("clusters", 50, 2, CPU)
    rows, differing = nms.time_nms(on, 2)
    assert list(differing) == ["iou_nms"]
    assert "are kept by one alone" in differing["iou_nms"]
    assert "iou_nms" not in {row.name for row in rows}
    assert "ranked by dir" in {row.name for row in rows}


def test_soft_nms_answers_as_mmcvs():
    if not mmcv_soft_nms.library().is_file() and not os.environ.get("DIRDET_TEST_COMPILE"):
        pytest.skip("mmcv's Soft-NMS takes a minute to compile: DIRDET_TEST_COMPILE=1, or `dirdet bench nms` once")
    named = variants(count=1000, mmcv_nms=mmcv_soft_nms.mmcv_batched_nms())
    for layout in ("clusters", "random"):
        found = random_boxes(layout, 1000, classes=20, seed=3, device=CPU)
        for decay, theirs in MMCV.items():
            assert difference(named[f"soft_nms_{decay}"], named[theirs], found) is None


def test_a_gpu_that_is_not_there_is_told():
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    result = CliRunner().invoke(cli, ["bench", "nms", "--device", "cuda"], standalone_mode=False)
    assert isinstance(result.exception, ParameterError) or "torch finds no NVIDIA GPU" in str(result.exception)
