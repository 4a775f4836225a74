"""What serving does not load."""

import gc
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest

from dirdet import cli

HEAVY = {"torch", "torchvision", "mmengine", "mmcv", "mmdet", "timm", "onnx", "cv2", "onnxruntime", "tritonclient"} | {
    "scipy",
    "sklearn",
    "faster_coco_eval",
    "pycocotools",
    "matplotlib",
    "pyarrow",
    "duckdb",
    "jinja2",
}


def loaded_by(code: str) -> set[str]:
    code = f"import sys; {code}; print(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["dirdet.gateway.app", "dirdet.quality"]
    + [f"dirdet.commands.{name}" for name in ("serve", "key", "detect", "batch", "quality", "calibrate", "triton")],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert HEAVY.isdisjoint(loaded_by(f"import {module}"))


def test_the_client_loads_neither_the_server_nor_what_reads_pictures() -> None:
    assert {"numpy", "httpx"}.isdisjoint(loaded_by("import dirdet"))
    server = {"fastapi", "starlette", "uvicorn", "pydantic", "PIL"}
    assert (HEAVY | server).isdisjoint(loaded_by("from dirdet import Client, AsyncClient"))


# What serving the shipped detector loads beside Python's own library. A package that is added here delays every start.
SERVING = {
    *("PIL", "annotated_doc", "annotated_types", "anyio", "click", "cykooz_resizer", "dirdet", "fastapi", "h11"),
    *("numpy", "onnxruntime", "opentelemetry", "prometheus_client", "pydantic", "pydantic_core", "python_multipart"),
    *("pythonjsonlogger", "starlette", "typing_extensions", "typing_inspection", "uvicorn"),
}
PYTHON = sys.stdlib_module_names | {"__main__", "__mp_main__", "_distutils_hack", "_virtualenv"}


def beside_python(loaded: set[str]) -> set[str]:
    return {name for name in loaded - PYTHON if not name.startswith(("_sysconfigdata", "__editable__"))}


def test_dirdet_alone_loads_nothing() -> None:
    assert beside_python(loaded_by("import dirdet")) == {"dirdet"}


def test_until_it_is_ready_serving_loads_what_it_uses_and_no_more(bundle_folder: Path) -> None:
    assert bundle_folder.is_dir()
    ready = (
        "import dirdet.commands.serve; from dirdet.gateway.app import create_app; "
        "from dirdet.detector.detector import Detector; "
        "detector = Detector.open(); detector.warm_up(); create_app(detector); "
        "unused = ['PIL.ImageDraw', 'PIL.ImageFont', 'PIL.JpegImagePlugin', 'dirdet.client', "
        "'dirdet.engines.triton.engine']; "
        "assert not [name for name in unused if name in sys.modules]"
    )
    found = beside_python(loaded_by(ready))
    assert found <= SERVING, "loaded before anybody needs it"
    assert {"fastapi", "onnxruntime"} <= found


def test_a_command_is_loaded_without_looking_for_garbage_and_garbage_is_looked_for_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []

    def load(_: EntryPoint) -> None:
        seen.append(gc.isenabled())

    monkeypatch.setattr(EntryPoint, "load", load)
    cli.cli.get_command(click.Context(cli.cli), "key")
    assert (seen, gc.isenabled()) == ([False], True)
