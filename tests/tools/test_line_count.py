"""The count tells lines, what is allowed, and modules that are too long."""

from pathlib import Path

import line_count


def write(root: Path, path: str, lines: int) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x = 1\n" * lines)


def test_nothing_has_no_lines(tmp_path: Path) -> None:
    lines = list(line_count.report(tmp_path))
    assert lines[0].split() == ["server", "0"]
    assert lines[-1] == "modules of more than 400 lines: 0"


def test_lines_modules_and_what_is_too_much(tmp_path: Path) -> None:
    """Of a package's own file and of settings the lines count, not the length."""
    write(tmp_path, "server/dirdet/__init__.py", 500)
    write(tmp_path, "training/dirdet_training/configs/big.py", 500)
    write(tmp_path, "server/dirdet/long.py", 401)
    write(tmp_path, "export/dirdet_export/short.py", 99)
    write(tmp_path, "bench/dirdet_bench/all.py", 5501)
    lines = list(line_count.report(tmp_path))
    assert "server + training + export     1,500  at most 36,000" in lines
    assert "bench                          5,501  at most 5,500  MISSED" in lines
    assert "median of 3 modules outside tests: 401  80 to 200  MISSED" in lines
    assert lines[-3] == "modules of more than 400 lines: 2  MISSED"
    assert [line.split() for line in lines[-2:]] == [
        ["5,501", "bench/dirdet_bench/all.py"],
        ["401", "server/dirdet/long.py"],
    ]
