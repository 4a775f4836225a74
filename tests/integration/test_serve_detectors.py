"""docker/triton/serve-detectors: what it starts tritonserver with, and what it refuses; tests/triton has a real one."""

from pathlib import Path

import pytest
from serve_detectors import KEY, run_serve_detectors, serve_detectors

from dirdet.engines.triton.repository.memory_pool import POOL
from dirdet.engines.triton.repository.pbtxt import render

CATEGORIES = "metadata,inference,shared-memory,model-config,model-repository,statistics,trace,logging"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the models of two detectors."""
    for name in ("a_trunk", "a_detector", "b_detector", "b_detector_onnx"):
        (tmp_path / "repository" / name).mkdir(parents=True)
    return tmp_path


def test_every_detector_is_loaded_and_every_call_asks_for_the_key(folder: Path) -> None:
    told = serve_detectors(folder, "--log-verbose=1")
    assert {each for each in told if each.startswith("--load-model=")} == {
        "--load-model=a_detector",
        "--load-model=b_detector",
    }
    assert {
        "--model-control-mode=explicit",
        "--http-address=127.0.0.1",
        "--metrics-address=0.0.0.0",
        f"--grpc-restricted-protocol={CATEGORIES}:dirdet={KEY}",
        f"--http-restricted-api={CATEGORIES}:dirdet={KEY}",
        "--log-verbose=1",
    } <= set(told)
    assert not [each for each in told if each.startswith("--grpc-address")]


def test_the_memory_pool_holds_every_detectors_pyramids(folder: Path) -> None:
    """What each ensemble says and 64 MiB, on each GPU; a later option of the caller's wins."""
    for name, pool in (("a_detector", 1000), ("b_detector", 2_000_000_000_000)):
        parameters = [{"key": key, "value": {"string_value": value}} for key, value in (("x", "7"), (POOL, str(pool)))]
        (folder / "repository" / name / "config.pbtxt").write_text(render({"name": name, "parameters": parameters}))
    (folder / "bin").mkdir()
    smi = folder / "bin" / "nvidia-smi"
    expected = 64 * 1024 * 1024 + 2_000_000_001_000
    for told, gpus in (("exit 9", 1), ("echo GPU 0: H100", 1), ("echo GPU 0: H100; echo GPU 1: H100", 2)):
        smi.write_text(f"#!/bin/sh\n{told}\n")
        smi.chmod(0o755)
        given = serve_detectors(folder, "--cuda-memory-pool-byte-size=0:5")
        sizes = [each.partition("=")[2] for each in given if each.startswith("--cuda-memory-pool-byte-size=")]
        assert sorted(sizes[:-1]) == [f"{gpu}:{expected}" for gpu in range(gpus)]
        assert sizes[-1] == "0:5"


def test_a_driver_that_is_older_than_the_images_cuda_is_named(folder: Path) -> None:
    (folder / "bin").mkdir()
    smi = folder / "bin" / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '| NVIDIA-SMI 550.54   Driver Version: 550.54   CUDA Version: 12.4     |'\n")
    smi.chmod(0o755)
    status, _, errors = run_serve_detectors(folder, CUDA_VERSION="13.0.1.012")
    assert status == 0
    assert (
        "the NVIDIA driver supports CUDA up to 12.4, and this image holds CUDA 13.0.1.012: update the driver" in errors
    )
    assert run_serve_detectors(folder, CUDA_VERSION="12.9.1.010")[2] == ""
    assert run_serve_detectors(folder)[2] == ""


def test_a_detector_without_a_size_leaves_tritons_default(folder: Path) -> None:
    assert f"--cuda-memory-pool-byte-size=0:{64 * 1024 * 1024}" in serve_detectors(folder)


def test_grpc_listens_on_the_address_of_a_name(folder: Path) -> None:
    assert "--grpc-address=127.0.0.1" in serve_detectors(folder, GRPC_NAME="localhost")
    status, out, errors = run_serve_detectors(folder, GRPC_NAME="nowhere.invalid")
    assert (status, out, errors) == (1, "", "GRPC_NAME: no address of 'nowhere.invalid'\n")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (None, "no key in {path} after 0 s"),
        ("", "{path}: expected one key of letters, digits, - and _"),
        ("short", "{path}: expected at least 16 characters, found 5"),
        ("0123456789abcdef=", "{path}: expected one key of letters, digits, - and _"),
        ("0123456789abcdef\n0123456789abcdef", "{path}: expected one key of letters, digits, - and _"),
    ],
)
def test_without_a_key_nothing_starts(folder: Path, key: str | None, why: str) -> None:
    status, out, errors = run_serve_detectors(folder, key=key)
    assert (status, out) == (1, "")
    assert why.format(path=folder / "key") in errors


def test_without_models_nothing_starts(tmp_path: Path) -> None:
    status, out, errors = run_serve_detectors(tmp_path)
    assert (status, out) == (1, "")
    assert f"no NAME_detector in {tmp_path / 'repository'} after 0 s" in errors


def test_nvidias_entry_point_starts_triton_where_there_is_one(folder: Path) -> None:
    entry = folder / "entry"
    entry.write_text('#!/bin/sh\necho "NVIDIA\'s banner"\nexec "$@"\n')
    assert serve_detectors(folder, NVIDIA_ENTRYPOINT=str(entry))[0] != "NVIDIA's banner", "it is not executable"
    entry.chmod(0o755)
    banner, *told = serve_detectors(folder, "--log-verbose=1", NVIDIA_ENTRYPOINT=str(entry))
    assert banner == "NVIDIA's banner"
    assert told == serve_detectors(folder, "--log-verbose=1")
