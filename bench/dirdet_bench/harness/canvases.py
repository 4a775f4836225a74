"""What an engine is measured on: a picture on canvases, under a detector's default thresholds."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dirdet.bundle.bundle import CanvasSize, Manifest, ResizeRule
from dirdet.detector.options import DetectOptions, settle
from dirdet.engines.tensors import CanvasBatch
from dirdet.pictures.canvas import fit_picture, paint
from dirdet.pictures.reading import read_picture


def open_picture(path: Path) -> Image.Image:
    """A file as an upright RGB picture, read as dirdet reads all pictures."""
    with path.open("rb") as file:
        return read_picture(file)


def canvas_batch(
    picture: Image.Image, manifest: Manifest, *, batch: int = 1, canvas: CanvasSize | None = None
) -> CanvasBatch:
    """An upright RGB picture as often as the batch is large, under the manifest's resize rule and thresholds.

    With `canvas`, of any size, the picture fills that as far as its shape lets it.
    """
    rule, canvases = manifest.resize, manifest.canvases
    if canvas is not None:
        short, long = sorted((canvas.height, canvas.width))
        rule, canvases = ResizeRule(short_side=short, long_side=long, interpolation=rule.interpolation), [canvas]
    fit = fit_picture((picture.height, picture.width), rule=rule, canvases=canvases)
    settings = settle(DetectOptions(), manifest)
    return CanvasBatch(
        canvas=np.stack([paint(picture, fit, rule=rule)] * batch),  # [B, H, W, 3]
        picture_hw=np.array([fit.resized_hw] * batch, np.int64),  # [B, 2]
        score_threshold=np.full(batch, settings.score_threshold, np.float32),
        iou_weight=np.full(batch, settings.iou_weight, np.float32),
        nms_iou_threshold=settings.nms_iou_threshold,
    )


def input_arrays(batch: CanvasBatch) -> dict[str, Any]:
    """A batch's arrays by the names of an exported network's inputs."""
    names = ("canvas", "picture_hw", "score_threshold", "iou_weight")
    threshold = np.array(batch.nms_iou_threshold, np.float32)
    return {**{name: getattr(batch, name) for name in names}, "nms_iou_threshold": threshold}
