"""model_repository/ of a fresh clone, with the weights that `make model_repository` adds, on a real Triton."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from dirdet.detector.detector import Detector

from .server import TritonServer, running
from .test_answers import assert_same

ROOT = Path(__file__).resolve().parents[2]


def test_it_serves_from_a_fresh_clone(
    make_server: Callable[..., TritonServer],
    remote: Callable[..., Detector],
    embedded: Detector,
    photograph: Image.Image,
    tmp_path: Path,
) -> None:
    """As `make model_repository ONNXRUNTIME=python`: the wheel's Triton lacks the ONNX Runtime backend."""
    ignored = shutil.ignore_patterns("model.onnx", "model.safetensors", "__pycache__")
    shutil.copytree(ROOT / "model_repository", tmp_path / "model_repository", ignore=ignored)
    words = ["triton", "--out", "model_repository", "--onnxruntime", "python", "--force"]
    subprocess.run([sys.executable, "-m", "dirdet", *words], cwd=tmp_path, check=True, capture_output=True)
    with running(make_server(tmp_path / "model_repository")) as server:
        for model in ("scenes_detector", "scenes_detector_onnx"):
            [found] = remote(server.address, model=model).detect([photograph])
            [expected] = embedded.detect([photograph])
            assert_same(found, expected)
            assert found
