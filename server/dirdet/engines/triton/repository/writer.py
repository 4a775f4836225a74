"""Writes a bundle's models into a Triton model repository."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from dirdet.bundle.bundle import DETECTOR, ROI_STAGE, Bundle
from dirdet.bundle.copying import held
from dirdet.engines.triton.model_tensors import detector_tensors
from dirdet.engines.triton.models import ModelNames
from dirdet.engines.triton.repository.config import (
    RepositoryOptions,
    detector_config,
    detector_in_process_config,
    detector_onnx_config,
    roi_stage_config,
    trunk_config,
)
from dirdet.engines.triton.repository.pbtxt import Message, render
from dirdet.engines.triton.repository.stage_code import stage_code
from dirdet.engines.triton.repository.trunk import trunk_file, trunk_outputs
from dirdet.engines.triton.repository.warm_up import FOLDER as WARM_UP
from dirdet.engines.triton.repository.warm_up import warm_up_files
from dirdet.errors import BundleError

CONFIG = "config.pbtxt"
VERSION = "1"
# File names that Triton's backends and `python_models` expect.
ONNX_FILE = "model.onnx"
STAGE_FILE = "model.safetensors"
# TorchScript, in bundles from before the first release.
OLD_ROI_STAGE = "roi_stage.pt"
# A folder of files for Triton's Python backend; dirdet itself imports only memory.py.
PYTHON_MODELS = "python_models"
_SHARED = ("answering.py", "rows.py", "memory.py")
IMPORTED_BY = {
    "onnx_network.py": (*_SHARED, "onnx_session.py"),
    "roi_stage_network.py": _SHARED,
    "detector_network.py": (*_SHARED, "onnx_session.py", "roi_stage_network.py"),
}


@dataclass(frozen=True, slots=True)
class _Model:
    """One folder of the repository: its configuration, files of its only version by path, values of its warm-up."""

    name: str
    config: Message
    files: dict[str, Path]
    warm_up: dict[str, bytes] = field(default_factory=dict[str, bytes])


def check_repository(out: Path, name: str, *, force: bool) -> None:
    """Checks that the repository has no models of a detector of this name.

    Raises:
        BundleError: there are some and `force` is false, or `out` is not a folder.
    """
    if out.exists() and not out.is_dir():
        raise BundleError(f"{out}: expected a folder for Triton's models, found a file")
    names = ModelNames(name)
    taken = [name for name in names.all if (out / name).exists()]
    if taken and not force:
        raise BundleError(f"{out} has {', '.join(taken)} already; --force replaces them")


def write_repository(bundle: Bundle, out: Path, *, options: RepositoryOptions, force: bool = False) -> list[str]:
    """Writes the bundle's models; other detectors' models stay as they are.

    Each model is moved into place complete, so that Triton never reads a partial one.

    Args:
        bundle: has trunk.onnx and roi_stage.safetensors.
        out: folder of the repository; created if missing.
        options: of the repository.
        force: replace this detector's models.

    Returns:
        The models' names, the ensemble after its parts, and the network in one piece if the bundle has it.

    Raises:
        BundleError: the bundle has no trunk and RoI stage, models of this name exist, or `out` cannot be written.
        MissingExtraError: ONNX Runtime, which reads the trunk's outputs, is not installed.
    """
    check_repository(out, bundle.manifest.name, force=force)
    models = _models(bundle, options)
    try:
        out.mkdir(parents=True, exist_ok=True)
        # In the repository, which may be another file system than its parent; Triton loads models by name only.
        with tempfile.TemporaryDirectory(prefix=".dirdet.", dir=out) as stage:
            for model in models:
                _write(model, Path(stage) / model.name)
            for name in ModelNames(bundle.manifest.name).all:  # other options write fewer of them
                if (out / name).exists():
                    shutil.rmtree(out / name)
            for model in models:
                (Path(stage) / model.name).rename(out / model.name)
    except OSError as exc:
        raise BundleError(f"{out} cannot be written: {exc.strerror}") from exc
    return [model.name for model in models]


def _models(bundle: Bundle, options: RepositoryOptions) -> list[_Model]:
    manifest, names = bundle.manifest, ModelNames(bundle.manifest.name)
    trunk = trunk_file(bundle, fp16=options.fp16)
    python = options.onnxruntime == "python"
    inputs = detector_tensors(manifest)[0]
    seen, asked, whole = (warm_up_files(each, manifest.canvases) for each in (inputs[:2], inputs[1:], inputs))
    if options.detector_as == "process":
        both = {ONNX_FILE: held(trunk), **_stage(bundle), **_python_model("detector_network.py")}
        models = [_Model(names.detector, detector_in_process_config(manifest, options), both, whole)]
    else:
        outputs = trunk_outputs(bundle, fp16=options.fp16)
        models = [
            _Model(names.trunk, trunk_config(manifest, outputs, options), _onnx(trunk, python), seen),
            _Model(names.roi_stage, roi_stage_config(manifest, outputs, options), _stage(bundle), asked),
            _Model(names.detector, detector_config(manifest, outputs, options), {}),
        ]
    if DETECTOR in manifest.files:  # a bundle for Triton alone has none
        one_piece = _onnx(bundle.file(DETECTOR), python)
        models.append(_Model(names.detector_onnx, detector_onnx_config(manifest, options), one_piece, whole))
    return models


def _onnx(network: Path, python: bool) -> dict[str, Path]:
    return {ONNX_FILE: held(network), **(_python_model("onnx_network.py") if python else {})}


def _stage(bundle: Bundle) -> dict[str, Path]:
    if ROI_STAGE not in bundle.manifest.files and OLD_ROI_STAGE in bundle.manifest.files:
        raise BundleError(
            f"{bundle.folder}: expected {ROI_STAGE}, found {OLD_ROI_STAGE} of an older dirdet, which contains "
            "code and is not run; export the detector again"
        )
    return {STAGE_FILE: held(bundle.file(ROI_STAGE)), **_python_model("roi_stage_network.py"), **stage_code()}


def _python_model(code: str) -> dict[str, Path]:
    folder = Path(__file__).parent / PYTHON_MODELS
    return {"model.py": folder / code, **{name: folder / name for name in IMPORTED_BY[code]}}


def _write(model: _Model, folder: Path) -> None:
    version = folder / VERSION
    version.mkdir(parents=True)  # Triton requires the folder for an ensemble too, empty
    for name, source in model.files.items():
        (version / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, version / name)
    for name, values in model.warm_up.items():
        (folder / WARM_UP).mkdir(exist_ok=True)
        (folder / WARM_UP / name).write_bytes(values)
    (folder / CONFIG).write_text(render(model.config), encoding="utf-8")
