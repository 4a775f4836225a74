"""Regions of shared memory outlive no gateway for long."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fcntl", reason="shared memory with Triton is for Unix")

from dirdet.engines.triton.shared_owner import Owner, sweep

MAKE = """
import sys, time
from pathlib import Path
from dirdet.engines.triton.shared_owner import Owner
folder = Path(sys.argv[1])
owner = Owner(folder)
region = folder / owner.name(64)
region.touch()
print(region, flush=True)
time.sleep(60)
"""


def test_the_living_keep_their_regions(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    region = tmp_path / owner.name(64)
    region.touch()
    assert sweep(tmp_path) == []
    assert region.exists()
    owner.end()
    owner.end()
    assert list(tmp_path.iterdir()) == [region], "an owner removes its regions itself"


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        region = Path(process.stdout.readline().strip())
        assert sweep(tmp_path) == []
        process.kill()
    assert region.exists()
    assert sweep(tmp_path) == [region.name]
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_stay(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("dirdet_test_1", "psm_1234", "dirdet_1-a_64_b", "other.lock")]
    for each in others:
        each.touch()
    assert sweep(tmp_path) == []
    assert all(each.exists() for each in others)
