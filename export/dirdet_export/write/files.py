"""Writes a bundle: in a temporary folder beside its path, the manifest last, and then moved to its path."""

import datetime
import importlib.metadata
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dirdet.bundle.bundle import (
    DETECTOR,
    MANIFEST,
    ROI_STAGE,
    TRUNK,
    TRUNK_FLOAT16,
    CanvasSize,
    Category,
    Manifest,
    Provenance,
    ResizeRule,
    Thresholds,
    sha256_of,
    write_manifest,
)
from dirdet.bundle.interpolation import Decode
from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.errors import ExportError
from dirdet_export.graph.detector import Detector
from dirdet_export.write import signature
from dirdet_export.write.float16_trunk import write_half_trunk
from dirdet_export.write.onnx_files import write_detector, write_trunk
from dirdet_export.write.roi_stage import write_roi_stage

WeightsType = Literal["float32", "float16"]
# detector.onnx is the embedded engine's; trunk.onnx and roi_stage.safetensors are Triton's.
Purpose = Literal["embedded", "triton", "both"]
VERSIONED = (
    "dirdet",
    "torch",
    "torchvision",
    "onnx",
    "onnxruntime",
    "onedl-mmdetection",
    "onedl-mmengine",
    "onedl-mmcv",
)


@dataclass(frozen=True, slots=True)
class Description:
    """The part of a bundle's manifest that cannot be read from its network.

    Attributes:
        name: of the detector.
        architecture: for display.
        config: the config's name.
        checkpoint: file of the weights.
        categories: in the order of the detector's outputs.
        canvases: smallest first.
        resize: rule that scales a picture to a canvas.
        weights: data type of the stored weights.
        purpose: the engines that the files are for.
        fp16_trunk: also write a trunk that computes in float16.
        quality: measured figures by name.
        limitations: of the detector, for display.
        decode: how requests that do not say it have their JPEGs decoded.
    """

    name: str
    architecture: str
    config: str
    checkpoint: Path
    categories: list[Category]
    canvases: list[CanvasSize]
    resize: ResizeRule
    weights: WeightsType = "float32"
    purpose: Purpose = "both"
    fp16_trunk: bool = False
    quality: dict[str, float] = field(default_factory=dict[str, float])
    limitations: str = ""
    decode: Decode = "exact"


def _versions() -> dict[str, str]:
    installed = {dist.metadata["Name"].lower(): dist.version for dist in importlib.metadata.distributions()}
    return {name: installed[name] for name in VERSIONED if name in installed}


def write_bundle(folder: Path, *, detector: Detector, limits: Limits, description: Description) -> Manifest:
    """Writes the files of a bundle into an existing folder, the manifest last.

    Raises:
        ExportError: a graph has control flow.
    """
    half = description.weights == "float16"
    predicts_iou = limits.predicts_iou
    files: list[str] = []
    if description.purpose != "triton":
        write_detector(detector, folder / DETECTOR, predicts_iou=predicts_iou, half=half)
        files.append(DETECTOR)
    if description.purpose != "embedded":
        write_trunk(detector, folder / TRUNK, half=half)
        write_roi_stage(detector, folder / ROI_STAGE, predicts_iou=predicts_iou, half=half)
        files += [TRUNK, ROI_STAGE]
    if description.fp16_trunk:
        write_half_trunk(detector, folder / TRUNK_FLOAT16)
        files.append(TRUNK_FLOAT16)
    manifest = Manifest(
        name=description.name,
        architecture=description.architecture,
        localization_confidence="dir" if predicts_iou else None,
        categories=description.categories,
        canvases=description.canvases,
        resize=description.resize,
        max_candidates=limits.max_candidates,
        max_detections=limits.max_detections,
        defaults=Thresholds(
            score_threshold=limits.score_threshold,
            nms_iou_threshold=limits.nms_iou_threshold,
            iou_weight=limits.iou_weight,
            decode=description.decode,
        ),
        selection=limits.selection,
        mask_threshold=limits.mask_threshold,
        inputs=signature.inputs(predicts_iou=predicts_iou),
        outputs=signature.outputs(predicts_iou=predicts_iou, mask_size=detector.roi_stage.mask_size),
        provenance=Provenance(
            config=description.config,
            checkpoint_sha256=sha256_of(description.checkpoint),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            versions=_versions(),
            weights_dtype=description.weights,
        ),
        quality=description.quality,
        limitations=description.limitations,
        files={name: sha256_of(folder / name) for name in files},
    )
    write_manifest(folder, manifest)
    return manifest


def check_target(out: Path, *, force: bool) -> None:
    """Checks that a bundle can be written to the path.

    Raises:
        ExportError: the path exists, and `force` is false or it is not a bundle.
    """
    if not out.exists():
        return
    if not force:
        raise ExportError(f"--out {out}: expected a new folder, it exists already; --force replaces a bundle")
    if not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"--out {out}: --force replaces bundles only, and this has no {MANIFEST}")


@contextmanager
def staged(out: Path, *, force: bool = False) -> Generator[Path]:
    """A temporary folder beside `out`: moved to `out` when the block succeeds, removed when it fails.

    Raises:
        ExportError: `out` exists or cannot be written.
    """
    check_target(out, force=force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as exc:
        raise ExportError(f"--out {out}: cannot be written: {exc.strerror}") from exc
    try:
        yield stage
        stage.chmod(0o755)  # mkdtemp grants access to its owner only; a server often runs as another user
        if out.exists():
            shutil.rmtree(out)
        stage.rename(out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
