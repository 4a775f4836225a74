"""dirdet bench roi-stage: every step is told, and torchvision's heads detect what the stage detects."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from dirdet.errors import BundleError
from dirdet.pictures import read_picture
from dirdet.shipped import open_bundle
from dirdet_export.bench.roi_heads import differs
from dirdet_export.bench.roi_stage import Stage
from dirdet_export.bench.roi_steps import STEPS, steps_of
from dirdet_export.bench.subjects import request_of
from dirdet_export.commands.bench_roi_stage import command
from dirdet_export.quiet import expected_warnings

PHOTOGRAPH = Path(__file__).resolve().parents[2] / "docs" / "example.jpg"


def test_steps_are_told_for_both_runtimes_and_torchvision_agrees(tmp_path: Path) -> None:
    out, plot = tmp_path / "a.json", tmp_path / "a.svg"
    arguments = [str(PHOTOGRAPH), "--proposals", "40", "--candidates", "10", "--rounds", "1", "--json", str(out)]
    result = CliRunner().invoke(command, [*arguments, "--plot", str(plot)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text())
    rows = {row["name"]: row for row in content["rows"]}
    [group] = {row["group"] for row in content["rows"]}
    count = int(group.split()[0])
    assert 30 <= count <= 40
    assert group == f"{count} proposals, 10 candidates"
    for file in ("roi_stage.pt", "detector.onnx"):
        steps = [rows[f"{file}: {step}"]["values"][0] for step in STEPS]
        assert all(seconds > 0 for seconds in steps)
        assert sum(steps) == pytest.approx(rows[file]["values"][0], rel=1e-3)
    assert rows["roi_stage.pt, from proposals, without DIR"]["against"] == "torchvision roi_heads"
    assert not any(name.startswith("not counted") for name in content["facts"])
    assert "hindsight RoIAlign" in plot.read_text()


def test_fewer_proposals_are_the_best_of_them() -> None:
    bundle = open_bundle()
    with PHOTOGRAPH.open("rb") as file:
        request = request_of(read_picture(file), bundle.manifest, batch=1)
    with expected_warnings():
        stage = Stage(bundle, request)
        every, few = stage.proposals(), stage.with_proposals(20).proposals()
    assert 10 <= len(few) <= 20
    torch.testing.assert_close(few, every[: len(few)])


def test_another_detectors_stage_is_refused() -> None:
    with pytest.raises(BundleError, match="RoIAlign twice and NMS twice; found 1 and 1"):
        steps_of([("NonMaxSuppression", 1.0), ("RoiAlign", 1.0), ("Gemm", 1.0)])


def test_a_detector_without_dir_is_refused(plain_specimen: Any, bundle_of: Callable[..., Path]) -> None:
    arguments = [str(PHOTOGRAPH), "--detector", str(bundle_of(plain_specimen)), "--rounds", "1"]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, BundleError)


def test_a_detection_that_torchvision_has_not_is_told() -> None:
    box = torch.tensor([[0.0, 0.0, 9.0, 9.0]])
    found = {"boxes": box, "labels": torch.tensor([1]), "scores": torch.tensor([0.5])}
    assert differs(found, box, torch.tensor([0]), torch.tensor([0.5])) is None
    assert differs(found, box + 1, torch.tensor([0]), torch.tensor([0.5])) is not None
    assert differs(found, box, torch.tensor([1]), torch.tensor([0.5])) is not None
