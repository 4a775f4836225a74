"""Every NMS on candidates of any detector, from a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dirdet.commands.quality import command
from dirdet.errors import ParameterError


def write(folder: Path, *, with_iou: bool) -> list[str]:
    """An object with two boxes: the worse one has the higher score, the better one the higher iou."""
    truth = {
        "images": [{"id": 1, "file_name": "1.png", "width": 200, "height": 200}],
        "categories": [{"id": 7, "name": "thing"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [0, 0, 100, 100], "area": 10_000}],
    }
    worse = {"image_id": 1, "category_id": 7, "bbox": [0, 0, 100, 80], "score": 0.9}
    better = {"image_id": 1, "category_id": 7, "bbox": [0, 0, 100, 99], "score": 0.8}
    entries = [worse | {"iou": 0.6}, better | {"iou": 0.95}] if with_iou else [worse, better]
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "found.json").write_text(json.dumps(entries))
    return [str(folder / "found.json"), "--ann", str(folder / "truth.json"), "--rivals"]


def run(arguments: list[str]) -> str:
    result = CliRunner().invoke(command, arguments)
    if result.exception is not None:
        raise result.exception
    return result.output


def test_the_iou_finds_the_better_box(tmp_path: Path) -> None:
    told: dict[str, Any] = json.loads(run([*write(tmp_path, with_iou=True), "--json"]))
    assert told["score"]["AP90"] == 0
    assert told["dir"]["AP90"] == told["clusters"]["AP90"] == told["oracle"]["AP90"] == pytest.approx(100)
    assert told["rank_nms"] is None  # Rank-NMS needs its own head


def test_without_an_iou_what_needs_one_is_named(tmp_path: Path) -> None:
    *lines, last = run(write(tmp_path, with_iou=False)).splitlines()
    assert lines[1].split()[0] == "score"
    assert "not compared, for want of a prediction: dir," in last


def test_no_candidates(tmp_path: Path) -> None:
    arguments = write(tmp_path, with_iou=True)
    (tmp_path / "found.json").write_text("[]")
    assert json.loads(run([*arguments, "--json"]))["score"]["AP"] == 0


def test_it_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="--rivals: cannot be combined"):
        run([*write(tmp_path, with_iou=True), "--report", str(tmp_path / "report.html")])
