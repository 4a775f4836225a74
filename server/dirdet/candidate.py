"""Candidates: the boxes before NMS, told so that a client can rank them again without detecting again."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dirdet.bundle import Manifest
from dirdet.canvas import Fit
from dirdet.detection import Box
from dirdet.figures import at, box_at, figures_of
from dirdet.tensors import Candidates

# Nine significant digits give a float32 back exactly: a client's NMS then decides on what the engine decided on.
SIGNIFICANT_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A box and a class for it, before NMS; the fields are those of `Detection`, save what ranking decides."""

    box_xyxy: Box
    label: str
    class_id: int
    category_id: int
    score: float
    purity: float | None
    integrity: float | None
    iou: float | None
    score_calibrated: float | None = None
    iou_calibrated: float | None = None
    outer_box_xyxy: Box | None = None

    def to_json(self) -> dict[str, Any]:
        """One of an image's `candidates`; schema `CandidateOut`."""
        return {
            "box": _digits(self.box_xyxy),
            "label": self.label,
            "class_id": self.class_id,
            "category_id": self.category_id,
            "score": _digit(self.score),
            "purity": _digit(self.purity),
            "integrity": _digit(self.integrity),
            "iou": _digit(self.iou),
            "score_calibrated": _digit(self.score_calibrated),
            "iou_calibrated": _digit(self.iou_calibrated),
            "outer_box": None if self.outer_box_xyxy is None else _digits(self.outer_box_xyxy),
        }


def candidates_of(candidates: Candidates, index: int, *, fit: Fit, manifest: Manifest) -> list[Candidate]:
    """All candidates of one canvas of a batch, in the engine's order: best scored first.

    Args:
        candidates: an engine's answer.
        index: which canvas.
        fit: where the picture lies on it.
        manifest: whose class numbers these are.
    """
    rows = np.arange(int(candidates.num_candidates[index]), dtype=np.int64)  # [N]
    figures = figures_of(candidates, index, rows, fit=fit, manifest=manifest)
    categories = [manifest.categories[int(class_id)] for class_id in figures.class_id]
    return [
        Candidate(
            box_xyxy=box_at(figures.boxes_xyxy, row),
            label=category.name,
            class_id=int(figures.class_id[row]),
            category_id=category.category_id,
            score=float(figures.score[row]),
            purity=at(figures.purity, row),
            integrity=at(figures.integrity, row),
            iou=at(figures.iou, row),
            score_calibrated=at(figures.score_calibrated, row),
            iou_calibrated=at(figures.iou_calibrated, row),
            outer_box_xyxy=None if figures.outer_xyxy is None else box_at(figures.outer_xyxy, row),
        )
        for row, category in enumerate(categories)
    ]


def _digit(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _digits(box_xyxy: Box) -> list[float]:
    return [float(f"{side:.{SIGNIFICANT_DIGITS}g}") for side in box_xyxy]
