"""What `make` says where it cannot go on."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU, and the targets would run")
@pytest.mark.parametrize("target", ["test-gpu", "bench-gpu"])
def test_without_a_gpu_it_stops_before_it_installs(target: str) -> None:
    there = (ROOT / ".venv-gpu").exists()
    done = subprocess.run(["make", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs an NVIDIA GPU" in done.stderr
    assert (ROOT / ".venv-gpu").exists() == there
