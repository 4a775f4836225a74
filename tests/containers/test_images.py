"""What is in the images, and what is not."""

import json
import re
import shutil
from pathlib import Path

import pytest

from .engine import Engine
from .stack import BUILD_S, GATEWAY_IMAGE, TRITON_IMAGE

pytestmark = pytest.mark.usefixtures("images")
GATEWAY_MB = 800  # OpenCV, which resizes as MMDetection does, is 145 of them
# Over its base: PyTorch for CUDA and its libraries.
TRITON_OVER_BASE_MB = 6500


def megabytes(engine: Engine, image: str) -> float:
    return int(engine.run("image", "inspect", "--format", "{{.Size}}", image).stdout) / 1e6


def layers(engine: Engine, image: str) -> list[str]:
    return json.loads(engine.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", image).stdout)


def test_the_gateway_is_small(engine: Engine) -> None:
    assert megabytes(engine, GATEWAY_IMAGE) < GATEWAY_MB


def test_what_tritons_image_adds_is_bounded(engine: Engine, tree: Path) -> None:
    [base] = re.findall("^FROM (.+)$", (tree / "docker" / "triton.Dockerfile").read_text(), re.MULTILINE)
    assert megabytes(engine, TRITON_IMAGE) - megabytes(engine, base) < TRITON_OVER_BASE_MB


def test_the_gateway_has_no_torch(engine: Engine) -> None:
    names = ("torch", "torchvision", "mmdet", "mmcv", "onnx")
    code = f"import importlib.util as u; print([name for name in {names} if u.find_spec(name)])"
    found = engine.run("run", "--rm", "--network=none", "--entrypoint=python", GATEWAY_IMAGE, "-c", code)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("image", [GATEWAY_IMAGE, TRITON_IMAGE])
def test_it_does_not_run_as_root(image: str, engine: Engine) -> None:
    assert engine.run("image", "inspect", "--format", "{{.Config.User}}", image).stdout.strip() == "10001:10001"


def test_the_gateway_writes_nowhere(engine: Engine, tree: Path) -> None:
    """Not even below /tmp, which podman would make writable by itself."""
    flags = ["--rm", "--network=none", "--read-only", "--cap-drop=ALL", f"--volume={tree / 'docs'}:/docs:ro"]
    if not engine.is_docker:
        flags.append("--read-only-tmpfs=false")
    found = engine.run("run", *flags, GATEWAY_IMAGE, "detect", "/docs/example.jpg", "--json")
    assert json.loads(found.stdout)["images"][0]["detections"]
    assert "telemetry" not in found.stderr


def test_triton_says_that_it_has_nothing_to_serve(engine: Engine) -> None:
    tried = engine.run("run", "--rm", "--network=none", "--env=WAIT_S=1", TRITON_IMAGE, check=False)
    assert tried.returncode == 1
    assert "no NAME_detector in /models/repository after 1 s" in tried.stderr
    assert "dirdet triton" in tried.stderr


def test_a_change_of_the_code_changes_one_layer(engine: Engine, tree: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(tree, changed)
    with (changed / "server" / "dirdet" / "__init__.py").open("a") as file:
        file.write("# Changed.\n")
    image = f"{GATEWAY_IMAGE}-changed"
    dockerfile = changed / "docker" / "gateway.Dockerfile"
    try:
        engine.run("build", "-f", str(dockerfile), "-t", image, str(changed), timeout_s=BUILD_S)
        before, after = layers(engine, GATEWAY_IMAGE), layers(engine, image)
        assert len(before) == len(after)
        assert [one == two for one, two in zip(before, after, strict=True)] == [True] * (len(before) - 1) + [False]
    finally:
        engine.run("rmi", image, check=False)
