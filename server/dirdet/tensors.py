"""What an engine takes and gives: canvases of one size in, candidates and the kept ones among them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CanvasBatch:
    """Canvases of one size that share one NMS threshold.

    Attributes:
        canvas: [B, H, W, 3] RGB, H and W multiples of 32, zero outside the picture.
        picture_hw: [B, 2] height and width in pixels of the part of each canvas, from its top left, that is picture.
        score_threshold: [B] in 0..1.
        iou_weight: [B] in 0..1; 0 ranks by the score alone.
        nms_iou_threshold: in 0..1.
    """

    canvas: NDArray[np.uint8]
    picture_hw: NDArray[np.int64]
    score_threshold: NDArray[np.float32]
    iou_weight: NDArray[np.float32]
    nms_iou_threshold: float

    def part(self, rows: slice) -> "CanvasBatch":
        """Some of the canvases; a view, nothing is copied."""
        return CanvasBatch(
            canvas=self.canvas[rows],
            picture_hw=self.picture_hw[rows],
            score_threshold=self.score_threshold[rows],
            iou_weight=self.iou_weight[rows],
            nms_iou_threshold=self.nms_iou_threshold,
        )

    @classmethod
    def joined(cls, parts: Sequence["CanvasBatch"]) -> "CanvasBatch":
        """The rows of several, at least one, that share canvas size and NMS threshold, as one."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            canvas=np.concatenate([part.canvas for part in parts]),
            picture_hw=np.concatenate([part.picture_hw for part in parts]),
            score_threshold=np.concatenate([part.score_threshold for part in parts]),
            iou_weight=np.concatenate([part.iou_weight for part in parts]),
            nms_iou_threshold=parts[0].nms_iou_threshold,
        )


@dataclass(frozen=True, slots=True)
class Candidates:
    """An engine's answer, padded to M candidates and D detections per canvas.

    Attributes:
        boxes_xyxy: [B, M, 4] in canvas pixels.
        class_id: [B, M] from 0.
        score: [B, M] the classifier's probability.
        purity: [B, M], or None from a plain detector.
        integrity: [B, M], or None from a plain detector.
        num_candidates: [B] how many of the M are meaningful.
        kept: [B, D] indices into the M, in order of confidence.
        num_detections: [B] how many of the D are meaningful.
        mask: [B, D, S, S] probability over the boxes of the kept, rows from a box's top; None from a detector without
            masks.
    """

    boxes_xyxy: NDArray[np.float32]
    class_id: NDArray[np.int64]
    score: NDArray[np.float32]
    purity: NDArray[np.float32] | None
    integrity: NDArray[np.float32] | None
    num_candidates: NDArray[np.int64]
    kept: NDArray[np.int64]
    num_detections: NDArray[np.int64]
    mask: NDArray[np.float32] | None = None

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, NDArray[Any]]) -> "Candidates":
        """Candidates from a network's outputs by their names in bundle.json."""
        return cls(
            boxes_xyxy=outputs["boxes"],
            class_id=outputs["class_id"],
            score=outputs["score"],
            purity=outputs.get("purity"),
            integrity=outputs.get("integrity"),
            num_candidates=outputs["num_candidates"],
            kept=outputs["kept"],
            num_detections=outputs["num_detections"],
            mask=outputs.get("mask"),
        )

    @classmethod
    def joined(cls, parts: Sequence["Candidates"]) -> "Candidates":
        """The answers to the parts of a batch, at least one, as one answer; M and D are those of the network."""
        if len(parts) == 1:
            return parts[0]
        columns: dict[str, Any] = {each.name: [getattr(part, each.name) for part in parts] for each in fields(cls)}
        arrays: dict[str, Any] = {
            name: None if values[0] is None else np.concatenate(values) for name, values in columns.items()
        }
        return cls(**arrays)

    def part(self, rows: slice) -> "Candidates":
        """The answers to some rows of the batch."""
        columns = {each.name: getattr(self, each.name) for each in fields(self)}
        arrays: dict[str, Any] = {name: None if values is None else values[rows] for name, values in columns.items()}
        return Candidates(**arrays)


@dataclass(frozen=True, slots=True)
class Row:
    """One canvas's candidates among those of its batch."""

    candidates: Candidates
    position: int
