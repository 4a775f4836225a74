"""`--scaled-decode`: tried on the job's pictures, told, and part of what the job is."""

import json
from pathlib import Path

import pytest
from jobs import Run
from PIL import Image

from dirdet.batch import scaled_jpeg_trial
from dirdet.batch.errors import OutputError
from dirdet.errors import ParameterError


@pytest.fixture
def large(photographs: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "large"
    folder.mkdir()
    with Image.open(photographs / "astronaut.png") as photograph:
        for number in range(2):
            side = 1500 + 10 * number
            photograph.convert("RGB").resize((side, side)).save(folder / f"{number}.jpg")
    return folder


def computed_by(out: Path) -> str:
    return json.loads((out / "job.json").read_text())["identity"]["engine"]


def test_not_used_it_is_the_same_job(run: Run, large: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = run(large, "--out", out, "--scaled-decode", "--no-report")
    assert "in 2 pictures move by more than 1 px; not used" in told.stderr
    assert "scaled" not in computed_by(out)
    assert "already finished" in run(large, "--out", out, "--no-report").stdout


def test_used_it_is_another_job(run: Run, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaled_jpeg_trial, "MOVED_PX", 1e9)
    monkeypatch.setattr(scaled_jpeg_trial, "FEWEST_BOXES", 0)
    monkeypatch.setattr(scaled_jpeg_trial, "MOST_MOVED", 1.1)
    out = tmp_path / "out"
    job = [large, "--out", out, "--no-report", "--score-threshold", 0.05]
    told = run(*job, "--scaled-decode")
    assert told.exit_code == 0
    assert told.stderr.rstrip().splitlines()[0].endswith("; used")
    assert computed_by(out).endswith(", scaled JPEG decoding")
    with pytest.raises(OutputError, match=r"engine: was .*scaled JPEG decoding, is"):
        run(*job)
    assert "already finished" in run(*job, "--scaled-decode").stdout


def test_elsewhere_it_is_refused(run: Run, large: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="compute in this process"):
        run(large, "--out", tmp_path / "out", "--scaled-decode", "--triton", "127.0.0.1:9")
