"""Puts a bundle together: written beside its place, complete with its manifest, and moved there last."""

import datetime
import importlib.metadata
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dirdet.bundle import (
    DETECTOR,
    MANIFEST,
    ROI_STAGE,
    TRUNK,
    TRUNK_SCRIPT,
    CanvasSize,
    Category,
    Manifest,
    Provenance,
    ResizeRule,
    Thresholds,
    sha256_of,
    write_manifest,
)
from dirdet_export import signature
from dirdet_export.anatomy import Limits
from dirdet_export.deformable import is_deformable
from dirdet_export.errors import ExportError
from dirdet_export.graph.detector import Detector
from dirdet_export.onnx_files import write_detector, write_trunk
from dirdet_export.torchscript_file import write_roi_stage, write_trunk_script

WeightsType = Literal["float32", "float16"]
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
    """What a bundle says about itself beside what can be read from its network.

    Attributes:
        name: of the detector.
        architecture: in words.
        config: the config's name.
        checkpoint: the file that the weights come from.
        categories: in the order of the detector's outputs.
        canvases: smallest first.
        resize: how a picture becomes part of a canvas.
        weights: how they are stored.
        quality: measured figures by name.
        limitations: what the detector cannot do.
    """

    name: str
    architecture: str
    config: str
    checkpoint: Path
    categories: list[Category]
    canvases: list[CanvasSize]
    resize: ResizeRule
    weights: WeightsType = "float32"
    quality: dict[str, float] = field(default_factory=dict[str, float])
    limitations: str = ""


def _versions() -> dict[str, str]:
    installed = {dist.metadata["Name"].lower(): dist.version for dist in importlib.metadata.distributions()}
    return {name: installed[name] for name in VERSIONED if name in installed}


def write_bundle(folder: Path, *, detector: Detector, limits: Limits, description: Description) -> Manifest:
    """Writes all files of a bundle into an existing folder, the manifest last.

    Raises:
        ExportError: a graph has control flow.
    """
    half = description.weights == "float16"
    predicts_iou = limits.predicts_iou
    write_detector(detector, folder / DETECTOR, predicts_iou=predicts_iou, half=half)
    write_trunk(detector, folder / TRUNK, half=half)
    write_roi_stage(detector, folder / ROI_STAGE, predicts_iou=predicts_iou, half=half)
    files = [DETECTOR, TRUNK, ROI_STAGE]
    if is_deformable(detector.trunk):
        # Not every Triton's ONNX Runtime has the operator.
        write_trunk_script(detector, folder / TRUNK_SCRIPT, half=half)
        files.append(TRUNK_SCRIPT)
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
        ),
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
    """Refuses a place that is taken.

    Raises:
        ExportError: there is something, and force is not said or it is no bundle.
    """
    if not out.exists():
        return
    if not force:
        raise ExportError(f"--out {out}: expected a new folder, it exists already; --force replaces a bundle")
    if not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"--out {out}: --force replaces bundles only, and this has no {MANIFEST}")


@contextmanager
def staged(out: Path, *, force: bool = False) -> Generator[Path]:
    """A folder beside `out` that takes its place when the block ends well, and is removed when it does not.

    Raises:
        ExportError: the place is taken, or cannot be written.
    """
    check_target(out, force=force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as exc:
        raise ExportError(f"--out {out}: cannot be written: {exc.strerror}") from exc
    try:
        yield stage
        stage.chmod(0o755)  # mkdtemp lets only its owner in; a server is often somebody else
        if out.exists():
            shutil.rmtree(out)
        stage.rename(out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
