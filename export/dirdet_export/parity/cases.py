"""A picture file on both sides: what MMDetection makes of it, and what the server does, step by step."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from dirdet.bundle.bundle import CanvasSize, ResizeRule
from dirdet.errors import PictureError
from dirdet.pictures.canvas import PlacedPicture, fit_picture, paint
from dirdet.pictures.reading import read_picture
from dirdet.pictures.resizing import resize
from dirdet_export.errors import ExportError
from dirdet_export.parity.found_boxes import Found
from dirdet_export.parity.mm_pipeline import FilePipeline, Results
from dirdet_export.parity.reference import NetworkBatch, detect, prepare

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FileCase:
    """One file.

    Attributes:
        file: the picture's.
        placed: on the canvas that will serve.
        resized: MMDetection's pipeline after its resize.
        decoder: largest difference of the decoded pixels, levels of 255; infinite if their sizes differ.
        resize: largest difference of the resized pixels, both from MMDetection's decoded ones; infinite as above.
        theirs: MMDetection's batch of the file.
        served: MMDetection's batch of the server's pixels on the server's canvas; `theirs` if both are the same.
        padded: MMDetection's batch of its own pixels on the server's canvas; `theirs` or `served` if it is the same.
    """

    file: Path
    placed: PlacedPicture
    resized: Results
    decoder: float
    resize: float
    theirs: NetworkBatch
    served: NetworkBatch
    padded: NetworkBatch

    @property
    def name(self) -> str:
        return self.file.name

    def clip(self, found: Found) -> Found:
        """Boxes inside the picture, as the server gives them: with a Pad step, MMDetection's may end in the padding."""
        height, width = self.placed.fit.resized_hw
        inside = found.boxes_xyxy.clip(0, [width, height, width, height])
        return replace(found, boxes_xyxy=inside, unclipped_xyxy=found.in_nms_xyxy)

    def detect(self, model: nn.Module, batch: NetworkBatch) -> Found:
        """MMDetection's detections of one of this case's batches, in pixels of the canvas, without masks."""
        found = detect(model, batch)[0]
        return self.clip(replace(found, boxes_xyxy=self.placed.fit.to_canvas(found.boxes_xyxy), masks=None))

    def detect_with_masks(self, model: nn.Module) -> Found:
        """MMDetection's detections of `served`, in pixels of the canvas, masks too."""
        [sample] = self.served.samples
        was: dict[str, Any] = {name: sample.metainfo[name] for name in ("scale_factor", "ori_shape")}
        sample.set_metainfo({"scale_factor": (1.0, 1.0), "ori_shape": self.placed.fit.resized_hw})
        try:
            return self.clip(detect(model, self.served)[0])
        finally:
            sample.set_metainfo(was)


def _levels(one: Pixels, other: Pixels) -> float:
    """The largest difference of two pictures."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one.astype(np.int16) - other).max())


def read_case(
    file: Path, *, model: nn.Module, pipeline: FilePipeline, rule: ResizeRule, canvases: list[CanvasSize]
) -> FileCase:
    """Reads a file on both sides.

    Args:
        file: of a picture.
        model: MMDetection's detector.
        pipeline: of its config.
        rule: the bundle's.
        canvases: the bundle's.

    Raises:
        ExportError: the file is not a picture.
    """
    try:
        with file.open("rb") as stream:
            picture = read_picture(stream)
    except PictureError as exc:
        raise ExportError(f"--pictures {file}: {exc}") from exc
    loaded = pipeline.load(file)
    theirs: Pixels = loaded["img"]
    fit = fit_picture((picture.height, picture.width), rule=rule, canvases=canvases)
    placed = PlacedPicture(paint(picture, fit, rule=rule), fit)
    height, width = fit.resized_hw
    ours_small: Pixels = placed.canvas[:height, :width, ::-1]
    decoder = _levels(np.asarray(picture)[:, :, ::-1], theirs)
    resized = pipeline.resize(loaded)
    theirs_small: Pixels = resized["img"]
    small_hw = (theirs_small.shape[0], theirs_small.shape[1])
    by_rule = resize(Image.fromarray(theirs[:, :, ::-1]), small_hw, interpolation=rule.interpolation)
    stretched = float("inf") if theirs_small.shape != ours_small.shape else _levels(by_rule[:, :, ::-1], theirs_small)
    batch = prepare(model, pipeline.pack(resized))
    alike = np.array_equal(ours_small, theirs_small)
    if alike and batch.inputs.shape[2:] == fit.canvas_hw:
        return FileCase(file, placed, resized, decoder, stretched, batch, batch, batch)
    served = prepare(model, pipeline.pack(resized, ours_small), fit.canvas_hw)
    padded = served
    if batch.inputs.shape[2:] == fit.canvas_hw:
        padded = batch
    elif not alike:
        padded = prepare(model, pipeline.pack(resized), fit.canvas_hw)
    return FileCase(file, placed, resized, decoder, stretched, batch, served, padded)
