"""The image that trains and exports."""

import json
import os
from pathlib import Path

import pytest

from .engine import Engine
from .stack import BUILD_S, TAG

IMAGE = f"dirdet-training:{TAG}"


@pytest.fixture(scope="module")
def image(engine: Engine, tree: Path) -> str:
    engine.run("build", "-f", str(tree / "docker" / "training.Dockerfile"), "-t", IMAGE, str(tree), timeout_s=BUILD_S)
    return IMAGE


def test_it_trains_and_exports_for_whoever_starts_it(image: str, engine: Engine, tmp_path: Path) -> None:
    """MMDetection, its compiled parts by torchvision, and OpenCV's libraries are there; files belong to the user."""
    tmp_path.chmod(0o777)
    user = f"--user={os.getuid() or 12345}"
    flags = ["--rm", "--network=none", "--read-only", "--tmpfs=/tmp", user, f"--volume={tmp_path}:/work"]
    code = (
        "import json, torch, torchvision, cv2, dirdet_training.mm, dirdet_export, mmdet.apis, pathlib;"
        "from mmcv.ops import nms;"
        "boxes = torch.tensor([[0., 0., 9., 9.], [0., 0., 9., 8.]]);"
        "kept = nms(boxes, torch.tensor([.5, .9]), 0.5)[1].tolist();"
        "pathlib.Path('kept.json').write_text(json.dumps(kept))"
    )
    engine.run("run", *flags, "--entrypoint=python", image, "-c", code, timeout_s=180)
    assert json.loads((tmp_path / "kept.json").read_text()) == [1]
    assert (tmp_path / "kept.json").stat().st_uid != 0
    for command in ("train", "evaluate", "export"):
        assert "CONFIG" in engine.run("run", *flags, image, command, "--help").stdout


def test_it_does_not_run_as_root(image: str, engine: Engine) -> None:
    assert engine.run("image", "inspect", "--format", "{{.Config.User}}", image).stdout.strip() == "10001:10001"
