"""dirdet bench tiles: every way of joining is measured on the same tiles, and what is no tiling is refused."""

import json
import sys
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner
from PIL import Image

from dirdet.cli import cli
from dirdet.detector.options import JoinRule
from dirdet_bench.tiles.sahi_program import INSTALL


@pytest.fixture
def picture(tmp_path: Path, bundle_folder: Path) -> Path:  # noqa: ARG001 - the shipped one
    path = tmp_path / "large.png"
    Image.radial_gradient("L").resize((700, 400)).convert("RGB").save(path)
    return path


def test_every_rule_is_held_against_the_engine_alone(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiles.json"
    arguments = ["bench", "tiles", str(picture), "--tiles", "320x256", "--rounds", "1", "--json", str(out)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["facts"]["tiles"] > 4
    first, *others = report["rows"]
    assert first["name"] == "the engine alone"
    assert first["median"] > 0
    assert [row["name"] for row in others] == [f"joined by {rule}" for rule in get_args(JoinRule)]
    assert {row["against"] for row in others} == {first["name"]}


def test_sahis_own_program_takes_turns_with_ours(picture: Path, tmp_path: Path) -> None:
    pytest.importorskip("sahi", reason=f"needs SAHI: {INSTALL}")
    out = tmp_path / "tiles.json"
    result = CliRunner().invoke(cli, ["bench", "tiles", str(picture), "--sahi", "--rounds", "1", "--json", str(out)])
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text(encoding="utf-8"))
    alone, ours, *theirs = report["rows"]
    assert [alone["name"], ours["name"]] == ["the engine alone", "joined by integrity"]
    assert [row["against"] for row in theirs] == ["joined by integrity"] * 2
    told = {report["facts"][row["name"]] for row in theirs}
    assert len(told) == 1  # the same boxes, however many slices share an inference


def test_without_sahi_the_command_names_what_to_install(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sahi.predict", None)
    result = CliRunner().invoke(cli, ["bench", "tiles", str(picture), "--sahi"])
    assert str(result.exception) == f"--sahi needs SAHI, which is not installed: {INSTALL}"


def test_no_tiles_is_no_measurement(picture: Path) -> None:
    result = CliRunner().invoke(cli, ["bench", "tiles", str(picture), "--tiles", "none"])
    assert result.output == (
        "Error: Invalid value for '--tiles': expected auto, WxH or WxH:OVERLAP, as 640x512:0.2, got 'none'\n"
    )
