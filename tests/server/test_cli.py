"""The command itself: what every subcommand owes its user."""

import subprocess
import sys
from pathlib import Path

import pytest

from dirdet.cli import main
from dirdet.shipped import open_bundle

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full to write to")
def test_a_full_disk_is_one_line() -> None:
    with FULL.open("w") as full:
        command = [sys.executable, "-m", "dirdet", "--help"]
        answer = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr


def test_the_shipped_detector_says_how_good_it_is_and_what_it_cannot_do() -> None:
    manifest = open_bundle(None).manifest
    assert manifest.quality["test_easy_AP"] > 0
    assert manifest.quality["test_hard_pearson_iou"] > manifest.quality["test_hard_pearson_score"]
    assert "cut-outs" in manifest.limitations


def test_help_of_what_is_not_installed_says_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "dirdet_training.commands.evaluate", raising=False)
    for name in [name for name in sys.modules if name.startswith("dirdet_training.mm")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "Usage: dirdet evaluate" in said
    assert "the package 'torch', which is not installed: pip install '.[train]' in a clone of dirdet" in said
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "config.py", "--ann", "a.json"])
    assert ended.value.code == 1
    assert "dirdet: `evaluate` needs the package 'torch'" in capsys.readouterr().err
