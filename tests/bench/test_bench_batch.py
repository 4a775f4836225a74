"""`dirdet bench batch`, with everything that it starts."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dirdet_bench.serving.batch import command

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example.jpg"


@pytest.fixture(autouse=True)
def _needs_the_bundle(bundle_folder: Path) -> None:
    """The shipped one."""


def test_all_find_the_same(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        shutil.copy(EXAMPLE, pictures / f"{number}.jpg")
    out = tmp_path / "batch.json"
    ran = CliRunner().invoke(command, ["--pictures", str(pictures), "--rounds", "1", "--json", str(out)])
    assert ran.exit_code == 0, ran.output
    told = json.loads(out.read_text())
    rows = {row["name"]: row for row in told["rows"]}
    undivided = "the same, one batch after another on all cores"
    assert set(rows) == {"the engine alone", undivided, "dirdet batch", "a loop over POST /detect"}
    assert len(set(told["facts"]["detections"].values())) == 1
    assert rows["dirdet batch"]["against"] == "the engine alone"
    assert rows["dirdet batch"]["met"] == (rows["dirdet batch"]["ratio"]["median"] <= 1 / 0.95)


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    ran = CliRunner().invoke(command, ["--pictures", str(tmp_path)])
    assert "expected pictures in" in str(ran.exception)
