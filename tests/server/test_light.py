"""What serving does not load."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "mmengine", "mmcv", "mmdet", "timm", "onnx", "cv2", "onnxruntime", "tritonclient"} | {
    "scipy",
    "sklearn",
    "faster_coco_eval",
    "pycocotools",
    "matplotlib",
}


@pytest.mark.parametrize(
    "module",
    ["dirdet.app", "dirdet.quality"]
    + [f"dirdet.commands.{name}" for name in ("serve", "key", "detect", "quality", "calibrate", "triton")],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())
