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
    "pyarrow",
}


def loaded_by(code: str) -> set[str]:
    code = f"import sys; {code}; print(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["dirdet.app", "dirdet.quality"]
    + [f"dirdet.commands.{name}" for name in ("serve", "key", "detect", "batch", "quality", "calibrate", "triton")],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert HEAVY.isdisjoint(loaded_by(f"import {module}"))


def test_the_client_loads_neither_the_server_nor_what_reads_pictures() -> None:
    assert {"numpy", "httpx"}.isdisjoint(loaded_by("import dirdet"))
    server = {"fastapi", "starlette", "uvicorn", "pydantic", "PIL"}
    assert (HEAVY | server).isdisjoint(loaded_by("from dirdet import Client, AsyncClient"))
