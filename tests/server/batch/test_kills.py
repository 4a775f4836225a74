"""A job that is killed again and again at random moments; how often, and over how many pictures, by the environment."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from jobs import contents, spawn
from PIL import Image

PICTURES = int(os.environ.get("DIRDET_KILL_PICTURES", "24"))
KILLS = int(os.environ.get("DIRDET_KILLS", "2"))
PART = max(5, PICTURES // 80)
LONGEST_S = 1800


@pytest.fixture(scope="module")
def pictures(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    with Image.open(photographs / "astronaut.png") as photograph:
        for number in range(PICTURES):
            width, height = (int(each) for each in rng.integers(80, 200, 2))
            left, top = int(rng.integers(512 - width)), int(rng.integers(512 - height))
            crop = photograph.convert("RGB").crop((left, top, left + width, top + height))
            crop.save(folder / f"{number:06d}.jpg", quality=90)
    for number in range(7, PICTURES, 100):
        (folder / f"{number:06d}.jpg").write_bytes(b"\xff\xd8\xff and then nothing")
    return folder


def test_killed_at_random_moments(pictures: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    began = time.monotonic()
    _to_the_end(pictures, whole)
    takes_s = time.monotonic() - began
    moments = random.Random(0)
    kills = 0
    while kills < KILLS:
        job = spawn(pictures, "--out", killed, "--part", PART)
        # Most of a short run is its start; each kill comes somewhere in its start or its work.
        wait_s = moments.uniform(0, 2 * takes_s / KILLS + 3)
        try:
            job.communicate(timeout=wait_s)
        except subprocess.TimeoutExpired:
            job.kill()
            job.communicate(timeout=60)
        if job.returncode == -signal.SIGKILL:
            kills += 1
        else:  # it came to its end before: begin again, for more moments
            assert job.returncode == 3
            assert contents(killed) == contents(whole)
            shutil.rmtree(killed)
    _to_the_end(pictures, killed)
    assert contents(killed) == contents(whole)


def _to_the_end(pictures: Path, out: Path) -> None:
    job = spawn(pictures, "--out", out, "--part", PART)
    _, told = job.communicate(timeout=LONGEST_S)
    assert job.returncode == 3, told  # some are broken
