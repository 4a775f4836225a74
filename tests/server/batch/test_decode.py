"""`--decode`: how a job decodes its JPEGs is told and is part of what the job is."""

import json
from pathlib import Path

import pytest
from jobs import Run
from PIL import Image

from dirdet.batch.errors import OutputError
from dirdet.bundle.shipped import open_bundle


@pytest.fixture
def large(photographs: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "large"
    folder.mkdir()
    with Image.open(photographs / "astronaut.png") as photograph:
        for number in range(2):
            side = 1500 + 10 * number
            photograph.convert("RGB").resize((side, side)).save(folder / f"{number}.jpg")
    return folder


def settings_of(out: Path) -> dict[str, object]:
    return json.loads((out / "job.json").read_text())["identity"]["settings"]


def test_untold_it_is_the_detectors_own(run: Run, large: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(large, "--out", out, "--no-report")
    own = open_bundle(None).manifest.defaults.decode
    assert settings_of(out)["decode"] == own
    assert "already finished" in run(large, "--out", out, "--no-report", "--decode", own).stdout


def test_another_way_is_another_job(run: Run, large: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = [large, "--out", out, "--no-report", "--score-threshold", 0.05]
    run(*job, "--decode", "exact")
    assert settings_of(out)["decode"] == "exact"
    with pytest.raises(OutputError, match=r"settings\.decode: was exact, is scaled"):
        run(*job, "--decode", "scaled")
    assert "already finished" in run(*job, "--decode", "exact").stdout
