"""Tables that documents take from measurements' files."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dirdet.cli import cli
from dirdet.errors import ParameterError
from dirdet_bench.harness.document import PART, filled
from dirdet_bench.harness.machine import machine
from dirdet_bench.harness.report import Goal, Report, Row
from dirdet_bench.harness.tables import three_digits

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROWS = [
    Row("theirs", [2.0, 4.0], group="few"),
    Row("ours", [0.5, 1.0], against="theirs", goal=Goal(at_most=0.1), group="few"),
    Row("memory", [250.0], unit="MB", goal=Goal(at_most=300)),
    Row("quick", [0.00002]),
]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    Report("Speed", "dirdet bench it --rounds 2", machine(["numpy"]), ROWS).write(tmp_path / "files" / "a.json")
    path = tmp_path / "a.md"
    path.write_text("# A\n\n<!-- from files/a.json -->\nold\n<!-- end -->\n\nmore\n")
    return path


def test_the_repositorys_document_is_what_its_files_give() -> None:
    pages = [path for path in DOCS.rglob("*.md") if PART.search(path.read_text(encoding="utf-8"))]
    assert DOCS / "benchmarks" / "nms.md" in pages
    for path in pages:
        assert filled(path) == path.read_text(encoding="utf-8"), f"`dirdet bench table {path}` writes it again"


def test_a_document_is_filled_once_and_then_stays(document: Path) -> None:
    assert CliRunner().invoke(cli, ["bench", "table", str(document), "--check"]).exit_code == 1
    assert "old" in document.read_text()
    assert CliRunner().invoke(cli, ["bench", "table", str(document)]).exit_code == 0
    text = document.read_text()
    assert "| few | ours | 750 ms | 625 to 875 | 2 | 0.250 of theirs | 0.250 to 0.250 | at most 0.1: missed |" in text
    assert "|  | memory | 250 MB | 250 to 250 | 1 |  |  | at most 300: met |" in text
    assert "| 20.0 µs |" in text
    assert "    dirdet bench it --rounds 2" in text
    assert text.startswith("# A\n\n<!-- from files/a.json -->\n\n| on |")
    assert text.endswith("<!-- end -->\n\nmore\n")
    assert CliRunner().invoke(cli, ["bench", "table", str(document), "--check"]).exit_code == 0


def test_rows_without_a_goal_can_be_left_out(document: Path) -> None:
    document.write_text("<!-- from files/a.json, goals -->\n<!-- end -->\n")
    text = filled(document)
    assert "| ours |" in text
    assert "| quick |" not in text


def test_what_is_no_measurement_is_told(document: Path) -> None:
    (document.parent / "files" / "a.json").write_text('{"schema": 7}')
    with pytest.raises(ParameterError, match=r"a\.json of schema 7; this dirdet reads 1"):
        filled(document)
    (document.parent / "files" / "a.json").write_text("[]")
    with pytest.raises(ParameterError, match=r"a\.json, which no `dirdet bench` wrote"):
        filled(document)
    (document.parent / "files" / "a.json").unlink()
    with pytest.raises(ParameterError, match=r"a\.json, which cannot be read"):
        filled(document)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1234"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (0.01234, "0.0123"),
        (0, "0.000"),
    ],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


def test_a_report_is_drawn_with_each_thing_once_in_a_panel_of_its_unit(document: Path) -> None:
    drawn = document.parent / "plots" / "a.svg"
    report = document.parent / "files" / "a.json"
    assert CliRunner().invoke(cli, ["bench", "plot", str(report), str(drawn)]).exit_code == 0
    text = drawn.read_text()
    assert [text.count(f"<!-- {words} -->") for words in ("few: ours", "few: theirs", "memory", "quick")] == [1] * 4
    assert [text.count(f"<!-- {unit} -->") for unit in ("seconds", "MB")] == [1, 1]


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    told = CliRunner().invoke(cli, ["bench", "plot", str(tmp_path / "a.json"), str(tmp_path / "a.svg")])
    assert told.exit_code == 2
    assert "which no `dirdet bench` wrote" in " ".join(told.output.split())
    assert not (tmp_path / "a.svg").exists()
