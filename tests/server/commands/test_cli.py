"""The command itself: what every subcommand owes its user."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dirdet.bundle.shipped import open_bundle
from dirdet.cli import cli, main

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


def said_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code, capsys.readouterr().err


def test_a_misspelt_command_or_option_is_answered_with_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, words = said_by(capsys, "sevre")
    assert code == 2
    assert "No such command 'sevre'. Did you mean 'serve'?" in words
    code, words = said_by(capsys, "serve", "--prot", "1")
    assert code == 2
    assert "--port" in words
    assert "Did you mean" not in said_by(capsys, "qqqqqq")[1]


def test_a_fault_of_dirdet_is_one_line_and_its_own_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise TypeError("two\nlines")

    monkeypatch.setattr("dirdet.commands.key.command.callback", fail)
    monkeypatch.setattr("dirdet.commands.key.command.params", [])
    code, words = said_by(capsys, "key")
    assert code == 70
    assert words.splitlines() == [
        r"dirdet: unexpected error: TypeError: two\u000alines",
        "dirdet: this is a fault of dirdet; DIRDET_TRACEBACK=1 shows where it is",
    ]
    monkeypatch.setenv("DIRDET_TRACEBACK", "1")
    with pytest.raises(TypeError):
        main(["key"])


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("/nope", "/nope is not a bundle: there is no such folder, and the package's detectors are scenes, cells"),
        ("/", "/ is not a bundle: it has no bundle.json"),
        (__file__, f"{__file__} is a file; expected the folder of a bundle"),
    ],
)
def test_what_is_no_detector_is_named(folder: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["serve", "--detector", folder], ["detect", "--detector", folder, __file__]):
        assert said_by(capsys, *arguments) == (1, f"dirdet: {words}\n")


def test_triton_without_grpc_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """tritonclient raises a RuntimeError of its own where gRPC is missing."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    for name in [name for name in sys.modules if name.startswith(("tritonclient.grpc", "grpc."))]:
        monkeypatch.delitem(sys.modules, name)
    code, words = said_by(capsys, "serve", "--triton", "127.0.0.1:1", "--port", "0")
    assert code == 1
    assert "--triton needs tritonclient with gRPC, which is not installed: pip install '.[triton]'" in words


def test_alone_it_shows_what_people_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    named = re.findall(r"^  dirdet (\w+)", shown, re.MULTILINE)
    assert named == ["serve", "detect", "batch", "train", "export"]
    assert all(name in cli.list_commands(cli.make_context("dirdet", [])) for name in named)
