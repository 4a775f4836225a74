"""`dirdet key` prints a key once and keeps its hash."""

from pathlib import Path

import pytest

from dirdet.cli import main
from dirdet.gateway.access.api_keys import Key, digest, parse_lines
from dirdet.gateway.access.key_file import read_keys
from dirdet.gateway.access.rate_limits import Rate


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["key", *arguments])
    return int(caught.value.code or 0)


def test_the_line_is_the_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("phone", "--rate", "10/s", "--burst", "20", "--admin") == 0
    secret, line = capsys.readouterr().out.splitlines()
    assert parse_lines(line) == [Key("phone", digest(secret), Rate(10, "s", 20), admin=True)]


def test_appended_the_output_is_the_key_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "keys"
    assert run("phone", "--append", str(path)) == 0
    assert run("tablet", "--rate", "100/h", "--append", str(path)) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert read_keys(path) == [Key("phone", digest(first)), Key("tablet", digest(second), Rate(100, "h", 100))]
    assert first not in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a b"], "Invalid value for 'NAME'"),
        (["dirdet_secret"], "Invalid value for 'NAME'"),
        (["a", "--rate", "fast"], "'--rate': expected a number per s, min, h or d, such as 10/s; found 'fast'"),
        (["a", "--rate", "-1/s"], "such as 10/s; found '-1/s'"),
        (["a", "--burst", "3"], "'--burst': is the burst of a rate; expected --rate too"),
        (["a", "--rate", "1/s", "--burst", "0"], "--burst"),
    ],
)
def test_what_is_no_name_or_rate(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err


def test_a_name_that_is_taken_prints_no_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "keys")
    run("phone", "--append", path)
    capsys.readouterr()
    assert run("phone", "--append", path) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"dirdet: {path}: there is a key 'phone' already")
