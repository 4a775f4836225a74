"""The core without MMDetection, and docs/elsewhere.md as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "elsewhere.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
# Python's own way to let an import fail.
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(['mmdet', 'mmengine', 'mmcv', 'onnx', 'cv2', 'onnxruntime']))\n"


def run(code: str) -> str:
    """Runs code in a process in which no package of MMDetection can be imported, on one thread."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", WITHOUT + code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_core_needs_no_mmdetection() -> None:
    modules = ("geometry", "head", "losses", "confidence", "nms", "nms.suppression", "rivals")
    run("import " + ", ".join(f"dirdet_training.{name}" for name in modules))


@pytest.mark.parametrize("code", EXAMPLES, ids=["torchvision", "one stage"])
def test_an_example_trains_and_ranks(code: str) -> None:
    assert code.count("\n") < 80
    figures = [[float(value) for value in re.findall(r"[0-9.]+", line)] for line in run(code).splitlines()]
    assert figures
    for score, iou, true in figures:
        assert 0 <= score <= 1
        assert 0 <= true <= 1
        assert abs(iou - true) < 0.5
