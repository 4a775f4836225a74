"""What `make` says where it cannot go on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU, and the targets would run")
@pytest.mark.parametrize("target", ["test-gpu", "bench-gpu", "gpu-ten", "study-gpu"])
def test_without_a_gpu_it_stops_before_it_installs(target: str) -> None:
    there = (ROOT / ".venv-gpu").exists()
    done = subprocess.run(["make", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs an NVIDIA GPU" in done.stderr
    assert (ROOT / ".venv-gpu").exists() == there


def test_an_older_driver_is_named(tmp_path: Path) -> None:
    smi = tmp_path / "nvidia-smi"
    said = "GPU 0: H100 | NVIDIA-SMI 550.54  Driver Version: 550.54  CUDA Version: 12.4 |"
    smi.write_text(f"#!/bin/sh\necho '{said}'\n")
    smi.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["make", "has-gpu"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs a driver for CUDA 13; the one of this machine supports CUDA 12." in done.stderr
    smi.write_text(f"#!/bin/sh\necho '{said.replace('12.4', '13.0')}'\n")
    subprocess.run(["make", "has-gpu"], cwd=ROOT, env=environment, check=True)
