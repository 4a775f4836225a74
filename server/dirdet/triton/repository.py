"""Writes a bundle's models into a Triton model repository."""

import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from dirdet.bundle import DETECTOR, ROI_STAGE, TRUNK, TRUNK_SCRIPT, Bundle
from dirdet.errors import BundleError
from dirdet.triton.config import (
    RepositoryOptions,
    detector_config,
    detector_onnx_config,
    roi_stage_config,
    trunk_config,
)
from dirdet.triton.layout import ModelNames
from dirdet.triton.pbtxt import Message, render
from dirdet.triton.trunk import trunk_outputs

CONFIG = "config.pbtxt"
VERSION = "1"
# The names that Triton's backends and `python_models` look for.
ONNX_FILE = "model.onnx"
SCRIPT_FILE = "model.pt"
# A folder of files for Triton's Python backend, not a package: of them dirdet imports memory.py alone.
PYTHON_MODELS = "python_models"


@dataclass(frozen=True, slots=True)
class _Model:
    """One folder of the repository: its configuration, and files of its only version by name."""

    name: str
    config: Message
    files: dict[str, Path]


def check_repository(out: Path, name: str, *, force: bool) -> None:
    """Refuses a place where models of the detector of this name are.

    Raises:
        BundleError: there are some and force is not said, or `out` is no folder.
    """
    if out.exists() and not out.is_dir():
        raise BundleError(f"{out}: expected a folder for Triton's models, found a file")
    names = ModelNames(name)
    taken = [name for name in names.all if (out / name).exists()]
    if taken and not force:
        raise BundleError(f"{out} has {', '.join(taken)} already; --force replaces them")


def write_repository(bundle: Bundle, out: Path, *, options: RepositoryOptions, force: bool = False) -> list[str]:
    """Writes the bundle's models; models of other names stay as they are.

    Each model appears whole: a Triton that reads the folder meanwhile sees none half-written.

    Args:
        bundle: with trunk.onnx and roi_stage.pt.
        out: the repository; made if need be.
        options: what it is made for.
        force: replace models of the same names.

    Returns:
        The models' names, the ensemble after its parts.

    Raises:
        BundleError: the bundle cannot be cut in two, or the place is taken or cannot be written.
        MissingExtraError: ONNX Runtime, which looks at the trunk, is not installed.
    """
    check_repository(out, bundle.manifest.name, force=force)
    models = _models(bundle, options)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".dirdet.", dir=out.parent) as stage:
            for model in models:
                _write(model, Path(stage) / model.name)
            for model in models:
                if (out / model.name).exists():
                    shutil.rmtree(out / model.name)
                (Path(stage) / model.name).rename(out / model.name)
            written = {model.name for model in models}
            for left_over in set(ModelNames(bundle.manifest.name).all) - written:
                shutil.rmtree(out / left_over, ignore_errors=True)
    except OSError as exc:
        raise BundleError(f"{out} cannot be written: {exc.strerror}") from exc
    return [model.name for model in models]


def _models(bundle: Bundle, options: RepositoryOptions) -> list[_Model]:
    manifest, names = bundle.manifest, ModelNames(bundle.manifest.name)
    outputs = trunk_outputs(bundle)
    python = options.onnxruntime == "python"
    stage = _scripted(bundle.file(ROI_STAGE))
    trunk = _scripted(_script_of_trunk(bundle)) if options.trunk == "torchscript" else _onnx(bundle.file(TRUNK), python)
    models = [
        _Model(names.trunk, trunk_config(manifest, outputs, options), trunk),
        _Model(names.roi_stage, roi_stage_config(manifest, outputs, options), stage),
        _Model(names.detector, detector_config(manifest, outputs, options), {}),
    ]
    # Triton does not start where one model cannot be loaded, and this one is of the file that its runtime lacks.
    if options.trunk == "onnx":
        whole = _onnx(bundle.file(DETECTOR), python)
        models.append(_Model(names.detector_onnx, detector_onnx_config(manifest, options), whole))
    return models


def _script_of_trunk(bundle: Bundle) -> Path:
    if TRUNK_SCRIPT not in bundle.manifest.files:
        raise BundleError(
            f"--trunk torchscript: {bundle.folder} has no {TRUNK_SCRIPT}; `dirdet export` writes one for a detector "
            "with deformable convolutions, any other's trunk runs by every ONNX Runtime"
        )
    return bundle.file(TRUNK_SCRIPT)


def _onnx(network: Path, python: bool) -> dict[str, Path]:
    return {ONNX_FILE: network, **(_python_model("onnx_network.py") if python else {})}


def _scripted(network: Path) -> dict[str, Path]:
    return {SCRIPT_FILE: network, **_python_model("torchscript_network.py")}


def _python_model(code: str) -> dict[str, Path]:
    folder = Path(str(files("dirdet"))) / "triton" / PYTHON_MODELS
    return {"model.py": folder / code, **{name: folder / name for name in ("answering.py", "rows.py", "memory.py")}}


def _write(model: _Model, folder: Path) -> None:
    version = folder / VERSION
    version.mkdir(parents=True)  # an ensemble's is empty, and Triton wants it all the same
    for name, source in model.files.items():
        shutil.copyfile(source, version / name)
    (folder / CONFIG).write_text(render(model.config), encoding="utf-8")
