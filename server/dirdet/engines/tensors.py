"""Input and output of an engine: canvases of one size to candidates and the kept ones among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dirdet.errors import EngineError
from dirdet.pictures.canvas import PlacedPicture

# Canvases of one inference. It bounds the memory; larger batches are not faster.
MAX_BATCH = 8


# Dimensions of a network's outputs.
_AXES = {
    **{"boxes": 3, "class_id": 2, "score": 2, "purity": 2, "integrity": 2, "num_candidates": 1},
    **{"kept": 2, "num_detections": 1, "mask": 4},
}


class Ranking(Protocol):
    """Parameters by which an engine selects among a picture's candidates, as in `CanvasBatch`."""

    @property
    def score_threshold(self) -> float: ...
    @property
    def iou_weight(self) -> float: ...
    @property
    def nms_iou_threshold(self) -> float: ...


@dataclass(frozen=True, slots=True)
class CanvasBatch:
    """Canvases of one size that share one NMS threshold.

    Attributes:
        canvas: [B, H, W, 3] RGB, H and W multiples of 32, zero outside the picture.
        picture_hw: [B, 2] height and width in pixels of the picture at each canvas's top left.
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
        """A view of some of the canvases."""
        return CanvasBatch(
            canvas=self.canvas[rows],
            picture_hw=self.picture_hw[rows],
            score_threshold=self.score_threshold[rows],
            iou_weight=self.iou_weight[rows],
            nms_iou_threshold=self.nms_iou_threshold,
        )

    @classmethod
    def of(cls, pictures: Sequence[PlacedPicture], rankings: Sequence[Ranking]) -> "CanvasBatch":
        """Builds the batch of at least one picture on canvases of one size.

        Args:
            pictures: placed; the canvas of a single picture is not copied.
            rankings: one per picture; all have the same `nms_iou_threshold`.
        """
        canvases = [picture.canvas for picture in pictures]
        return cls(
            canvas=canvases[0][None] if len(canvases) == 1 else np.stack(canvases),
            picture_hw=np.array([picture.fit.resized_hw for picture in pictures], np.int64),  # [B, 2]
            score_threshold=np.array([each.score_threshold for each in rankings], np.float32),
            iou_weight=np.array([each.iou_weight for each in rankings], np.float32),
            nms_iou_threshold=rankings[0].nms_iou_threshold,
        )


@dataclass(frozen=True, slots=True)
class Candidates:
    """The output of an engine, padded to M candidates and D detections per canvas.

    Attributes:
        boxes_xyxy: [B, M, 4] in canvas pixels.
        class_id: [B, M] from 0.
        score: [B, M] the classifier's probability.
        purity: [B, M], or None from a plain detector.
        integrity: [B, M], or None from a plain detector.
        num_candidates: [B] number of valid rows of the M.
        kept: [B, D] indices into the M, most confident first.
        num_detections: [B] number of valid rows of the D.
        mask: [B, D, S, S] probability over the kept boxes, rows from a box's top; None from a detector without masks.
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
        """Candidates from a network's outputs, named as in bundle.json.

        Raises:
            EngineError: an output has another shape or type.
        """
        for name, axes in _AXES.items():
            if (found := outputs.get(name)) is not None and (found.ndim != axes or found.dtype.kind not in "fiu"):
                raise EngineError(
                    f"the network gives {name} as {found.dtype} {list(found.shape)}, which is no detection"
                )
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
        """Joins the outputs for the parts of a batch (at least one part); M and D are those of the network."""
        if len(parts) == 1:
            return parts[0]
        columns: dict[str, Any] = {each.name: [getattr(part, each.name) for part in parts] for each in fields(cls)}
        arrays: dict[str, Any] = {
            name: None if values[0] is None else np.concatenate(values) for name, values in columns.items()
        }
        return cls(**arrays)

    def check(self, index: int, *, classes: int) -> None:
        """Checks the output for one canvas, whatever network gave it.

        Raises:
            EngineError: a number is not finite, or points outside of the candidates or classes.
        """
        found, detected = int(self.num_candidates[index]), int(self.num_detections[index])
        kept, class_id = self.kept[index, : max(detected, 0)], self.class_id[index, : max(found, 0)]
        figures = [
            each[index, :found]
            for each in (self.boxes_xyxy, self.score, self.purity, self.integrity)
            if each is not None
        ]
        if not 0 <= found <= self.score.shape[1] or not 0 <= detected <= self.kept.shape[1]:
            raise EngineError(f"the network gives {found} candidates and {detected} detections")
        if np.any((kept < 0) | (kept >= found)) or any(len(each) < found for each in (class_id, *figures)):
            raise EngineError(f"the network keeps others than its {found} candidates")
        if np.any((class_id < 0) | (class_id >= classes)):
            raise EngineError(f"the network gives a class beyond the {classes} of its bundle")
        if not all(np.isfinite(each).all() for each in figures):
            raise EngineError("the network gives numbers that are not finite")

    def row(self, index: int) -> "Candidates":
        """A view of the output for one canvas, as a batch of one."""
        columns = {each.name: getattr(self, each.name) for each in fields(self)}
        arrays: dict[str, Any] = {
            name: None if values is None else values[index : index + 1] for name, values in columns.items()
        }
        return Candidates(**arrays)
