"""What a job says: a dry run, how far it is, how it ended."""

import re
import signal
from pathlib import Path

import pytest
from jobs import MANY, Run, job_arguments, spawn
from waiting import PATIENCE_S

from dirdet.batch.errors import SourceError
from dirdet.batch.progress import Progress, duration


def test_a_dry_run_writes_nothing(run: Run, many: Path, tmp_path: Path) -> None:
    result = run(many, "--out", tmp_path / "out", "--dry-run", "--part", 10)
    assert result.exit_code == 0
    assert f"{MANY} pictures of the folder" in result.stdout
    assert "4 parts of 10" in result.stdout
    assert not (tmp_path / "out").exists()


def test_the_summary_counts_and_standard_error_tells_the_rate(many: Path, tmp_path: Path) -> None:
    process = spawn(*job_arguments(many, tmp_path / "out"), "--limit", 8)
    output, told = process.communicate(timeout=PATIENCE_S)
    assert re.search(r"\d+ detections in 7 pictures\n1 could not be read: .*errors\.parquet", output)
    assert re.search(r"8 of 8 \(100 %\), [\d.]+ pictures/s, 0 s left, 1 could not be read", told)
    assert "\r" not in told


def test_an_error_of_dirdets_own_is_one_line_and_a_file(run: Run, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    broken = "import dirdet.batch.rows as rows\ndef fail(self): raise KeyError('columns')\n"
    broken += "rows.PartRows.pictures_parquet = fail"
    process = spawn(*job_arguments(many, out), before=broken)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert f"by an unexpected error in dirdet (KeyError: 'columns'), recorded in {out / 'crash.txt'}" in told
    assert "the same command continues from there" in told
    assert "Traceback" not in told
    assert "in fail" in (out / "crash.txt").read_text()
    assert run(*job_arguments(many, out)).exit_code == 3
    assert not (out / "crash.txt").exists()


def test_sigterm_does_afterwards_what_it_did(run: Run, many: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run(many, "--out", tmp_path / "out", "--limit", 2)
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_empty_folder_is_an_error_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("")
    with pytest.raises(SourceError, match="holds no picture; 1 file skipped: no picture's suffix"):
        run(tmp_path / "in", "--out", tmp_path / "out")
    assert [each.name for each in (tmp_path / "out").iterdir()] == [".lock"]


def test_remaining_time_is_of_this_runs_rate() -> None:
    line = Progress(100, before=40).line(20, 0, 10.0)
    assert line == "60 of 100 (60 %), 2.0 pictures/s, 20 s left"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7640, "2 h 07 min")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
