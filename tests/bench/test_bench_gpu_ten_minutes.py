"""dirdet bench gpu-ten: every step on the CPU, with tiny sizes."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import Bundle
from dirdet.cli import cli
from dirdet.engines.triton.repository.memory_pool import pool_bytes
from dirdet.engines.triton.repository.trunk import trunk_outputs
from dirdet_bench.gpu import pool
from dirdet_bench.gpu import ten_minutes as ten

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "example.jpg"
TEST = """
import os
import pytest

@pytest.mark.gpu
def test_device():
    assert os.environ["DIRDET_TEST_DEVICE"] == "cpu"

@pytest.mark.gpu
def test_that_fails():
    assert not os.environ

def test_of_something_else():
    raise AssertionError
"""


def run(folder: Path, *words: object) -> tuple[str, dict[str, Any]]:
    """What the command says, and the files by their steps."""
    arguments = ["bench", "gpu-ten", PICTURE, "--out", folder, "--device", "cpu", "--rounds", 1, *words]
    done = CliRunner().invoke(cli, [str(word) for word in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output, {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def test_every_step_writes_what_it_found(
    dir_specimen: Any,
    bundle_of: Callable[..., Path],
    tiny_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    words = ["--config", tiny_config, "--detector", bundle_of(dir_specimen), "--batch", 2]
    words += ["--test", tmp_path / "test_it.py"]
    said, files = run(tmp_path / "out", *words, "--iterations", 2)
    assert list(files) == ["1_versions", "2_tests", "3_roi-stage", "4_trunk", "5_pool", "6_training"]
    assert [each["state"] for each in files.values()] == ["ran", "ran", "ran", "ran", "not run", "ran"], said
    assert files["1_versions"]["found"]["gpus"] is None
    assert files["2_tests"]["found"]["exit status"] == 1
    assert files["2_tests"]["found"]["counts"] == {"passed": 1, "failed": 1}
    assert [name.rpartition("::")[2] for name in files["2_tests"]["found"]["failed"]] == ["test_that_fails"]
    stage = files["3_roi-stage"]["found"]["2"]
    assert stage["settled"] is True
    assert all(taken > 0 for taken in stage["milliseconds of NMS"].values())
    assert stage["milliseconds"]["at once, TF32"] > 0
    assert len(stage["slowest kernels"]) > 5
    assert files["4_trunk"]["found"]["trunk.onnx, CPU, float32"]["2"] > 0
    assert "no tritonserver" in files["5_pool"]["why"]
    training = files["6_training"]["found"]
    assert training["iterations"] == 2
    assert training["seconds of a step"] > 0


def test_a_step_that_fails_and_one_without_time_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: ten.Ten) -> None:
        raise ValueError("no luck")

    monkeypatch.setitem(ten.STEPS, "trunk", fail)
    said, files = run(tmp_path, "--step", "trunk", "--step", "versions", "--detector", tmp_path / "nothing")
    assert files["1_trunk"]["state"] == files["2_versions"]["state"] == "failed"
    assert "nothing does not exist" in files["2_versions"]["why"]
    assert "failed: BundleError" in said
    _, files = run(tmp_path, "--step", "versions", "--seconds", 0)
    assert files["1_versions"]["why"] == "no time was left"


SERVER = """
import signal, socket, sys
port = next(int(word.partition("=")[2]) for word in sys.argv if word.startswith("--grpc-port"))
print(next(word for word in sys.argv if "pool" in word), flush=True)
if sys.argv[-1].endswith(":67108864"):
    print("W1129 memory.cc: ... falling back to pinned system memory", flush=True)
with socket.create_server(("127.0.0.1", port)):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pause()
"""


def test_both_pools_are_served_and_their_warnings_counted(
    dir_specimen: Any, bundle_of: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a program in tritonserver's place that opens the port and warns; the requests are not sent."""
    program = tmp_path / "tritonserver"
    program.write_text(f"#!{sys.executable}\n{SERVER}")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(program))
    monkeypatch.setattr(pool, "time_models", lambda engines, *_: ({}, {name: [0.01] * 4 for name in engines}))
    bundle = Bundle.open(bundle_of(dir_specimen))
    found = pool.compare_pools(bundle, ten.open_picture(PICTURE), tmp_path / "log")
    assert found["usual"]["bytes"] == 64 * 2**20
    assert found["computed"]["bytes"] == pool_bytes(trunk_outputs(bundle, fp16=False), max_batch=8, instances=1)
    assert list(found) == ["usual", "computed", "one process"]
    assert [each["warnings"] for each in found.values()] == [1, 0, 1]


def test_one_process_that_does_not_start_leaves_the_pools(
    dir_specimen: Any, bundle_of: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where tritonserver's Python has no ONNX Runtime."""
    program = tmp_path / "tritonserver"
    program.write_text(f"#!{sys.executable}\nimport sys\nif 'process' in sys.argv[1]: sys.exit(1)\n{SERVER}")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(program))
    monkeypatch.setattr(pool, "time_models", lambda engines, *_: ({}, {name: [0.01] * 4 for name in engines}))
    found = pool.compare_pools(Bundle.open(bundle_of(dir_specimen)), ten.open_picture(PICTURE), tmp_path / "log")
    assert found["one process"] == {"failed": f"tritonserver did not start: see {tmp_path / 'log'}"}
    assert found["computed"]["warnings"] == 0
