"""dirdet bench start: fresh processes are started, and what they took is told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dirdet.cli import cli
from dirdet.errors import EngineError
from dirdet_bench.harness import processes
from dirdet_bench.serving import start


def test_what_starting_takes_is_told(bundle_folder: Path, tmp_path: Path) -> None:
    assert bundle_folder.is_dir()
    out = tmp_path / "start.json"
    result = CliRunner().invoke(cli, ["bench", "start", "--rounds", "1", "--no-cold", "--json", str(out)])
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text())
    rows = {row["name"]: row for row in content["rows"]}
    ready, memory = rows["dirdet serve until ready, files in memory"], rows["memory of dirdet serve, idle"]
    assert ready["goal"] == {"at_most": 2}
    assert ready["met"] == (ready["median"] <= 2)
    assert ready["median"] > rows["import dirdet"]["median"]
    assert 30 < memory["median"] < 300
    assert memory["met"]
    assert content["command"] == "dirdet bench start --no-cold --rounds 1"


def test_files_that_serving_reads_can_be_forgotten_and_read_again(bundle_folder: Path) -> None:
    files = start.read_files()
    assert bundle_folder / "detector.onnx" in files
    assert any(path.name == "__init__.py" and path.parent.name == "fastapi" for path in files)
    before = (bundle_folder / "bundle.json").read_bytes()
    start.forget([bundle_folder / "bundle.json"])
    assert (bundle_folder / "bundle.json").read_bytes() == before


def test_a_server_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.sys, "executable", "/bin/false")
    with pytest.raises(EngineError, match="dirdet serve did not start"):
        start.start()
