"""Steps of the ranked NMS beyond the paper's: clusters by the score, representatives, voting, the reported value.

The network's own NMS is the paper's. For a bundle with these steps, candidates are selected here, by any engine.
"""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dirdet.detection.calibration import Floats, Knots
from dirdet.detection.ranking import confidence, iou_with, ranked_nms

Fraction = Annotated[float, Field(ge=0, le=1)]
Rows = NDArray[np.int64]
Nms = Literal["per-class", "class-agnostic"]
NMS_MEANING = (
    "per-class: boxes of different classes do not suppress each other; class-agnostic: afterwards, of two boxes of any "
    "class with an IoU above nms_iou_threshold, the less confident is dropped too: one box a place"
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Representative(_Part):
    """Of the boxes of a cluster close to its first, the one that stands for it."""

    iou_weight: Fraction = Field(description="w of score^(1-w) * iou^w; the highest value stands for the cluster")
    member_iou: Fraction = Field(description="only boxes whose IoU with the first is above it may stand for it")


class Voting(_Part):
    """A kept box becomes a mean of boxes, weighted by score * iou^iou_power * exp(-(1 - IoU with it)^2 / spread)."""

    iou_power: float = Field(ge=0, allow_inf_nan=False, description="of the predicted IoU, in a box's weight")
    spread: float = Field(gt=0, allow_inf_nan=False, description="the larger, the more a distant box counts")
    iou_threshold: Fraction = Field(description="boxes of its class whose IoU with it is above this vote")


class ReportedProduct(_Part):
    """Maps of score and iou whose product is reported."""

    score: Knots = Field(description="of the score")
    iou: Knots = Field(description="of the predicted IoU")


class Selection(_Part):
    """What leads NMS, which box of a cluster is kept, how boxes vote, and what is reported and orders the answer."""

    cluster_by: Literal["confidence", "score"] = Field(description="the figure whose highest box leads a cluster")
    representative: Representative | None = Field(description="null: the first of a cluster stands for it")
    voting: Voting | None = Field(description="null: boxes stay as they are")
    report_by: Literal["confidence", "score", "calibrated"] = Field(
        description="the figure that is reported as confidence and orders the answer"
    )
    calibration: ReportedProduct | None = Field(default=None, description="for report_by calibrated")

    @model_validator(mode="after")
    def _has_its_maps(self) -> "Selection":
        if self.report_by == "calibrated" and self.calibration is None:
            raise ValueError("report_by 'calibrated' needs a calibration")
        return self


class Selected(NamedTuple):
    """The kept ones of N candidates, highest reported value first.

    Attributes:
        rows: [K].
        reported: [K], a detection's confidence.
        boxes_xyxy: [K, 4], the candidates' own boxes or voted ones.
    """

    rows: Rows
    reported: Floats
    boxes_xyxy: Floats


def select(
    selection: Selection,
    *,
    boxes_xyxy: Floats,
    class_id: Rows,
    score: Floats,
    iou: Floats,
    iou_weight: float,
    nms_iou_threshold: float,
    limit: int,
) -> Selected:
    """Applies the steps to candidates, as `dirdet_training.nms.Selection` does.

    Args:
        selection: the steps.
        boxes_xyxy: [N, 4], any unit.
        class_id: [N]; classes do not meet.
        score: [N] in 0..1.
        iou: [N] in 0..1, predicted.
        iou_weight: w of the confidence.
        nms_iou_threshold: in 0..1.
        limit: most boxes that are kept.
    """
    leading = score if selection.cluster_by == "score" else confidence(score, iou, iou_weight=iou_weight)
    rows = ranked_nms(boxes_xyxy, class_id, leading, iou_threshold=nms_iou_threshold)
    if (standing := selection.representative) is not None:
        fits = confidence(score, iou, iou_weight=standing.iou_weight)
        rows = _represented(
            boxes_xyxy, class_id, fits, rows, iou_threshold=nms_iou_threshold, member_iou=standing.member_iou
        )
    told = reported(selection, score[rows], iou[rows], iou_weight=iou_weight)
    order = np.argsort(-told, kind="stable")[:limit]
    rows, told = rows[order], told[order]
    boxes = boxes_xyxy[rows]
    if selection.voting is not None:
        boxes = _voted(boxes_xyxy, class_id, score * iou**selection.voting.iou_power, rows, selection.voting)
    return Selected(rows, told, boxes)


def reported(selection: Selection | None, score: Floats, iou: Floats, *, iou_weight: float) -> Floats:
    """[N] what a detection reports as its confidence; without steps the confidence itself.

    Args:
        selection: the steps.
        score: [N] in 0..1.
        iou: [N] in 0..1, predicted.
        iou_weight: w of the confidence.
    """
    if selection is not None and selection.report_by == "score":
        return score
    if selection is not None and selection.report_by == "calibrated" and selection.calibration is not None:
        return selection.calibration.score.apply(score) * selection.calibration.iou.apply(iou)
    return confidence(score, iou, iou_weight=iou_weight)


def _overlaps(boxes_xyxy: Floats, class_id: Rows, row: int) -> Floats:
    """IoU of one box with all [N]; 0 of another class."""
    return np.where(class_id == class_id[row], iou_with(boxes_xyxy[row], boxes_xyxy), 0)


def _represented(
    boxes_xyxy: Floats, class_id: Rows, fits: Floats, heads: Rows, *, iou_threshold: float, member_iou: float
) -> Rows:
    """The best fitting member of each head's cluster, [K]; of equal ones the head, then the first."""
    standing = heads.copy()
    free = np.ones(len(fits), np.bool_)
    free[heads] = False
    # One head after the other, each with what no head before it covers: a request may ask for thousands of candidates.
    for place, head in enumerate(heads.tolist()):
        ious = _overlaps(boxes_xyxy, class_id, head)  # [N]
        members = free & (ious > iou_threshold) & (class_id == class_id[head])
        free &= ~members
        rows = np.flatnonzero(members & (ious > member_iou) & (fits > fits[head]))
        if len(rows):
            standing[place] = rows[np.argmax(fits[rows])]
    return standing


def _voted(boxes_xyxy: Floats, class_id: Rows, weights: Floats, rows: Rows, voting: Voting) -> Floats:
    """Weighted means, [K, 4]; a box on which no weight falls stays."""
    voted = boxes_xyxy[rows]
    for place, row in enumerate(rows.tolist()):
        ious = _overlaps(boxes_xyxy, class_id, row)  # [N]
        near = ious > voting.iou_threshold
        weighed = weights[near] * np.exp(-((1 - ious[near]) ** 2) / voting.spread)
        if (whole := weighed.sum()) > 0:
            voted[place] += (weighed[:, None] * (boxes_xyxy[near] - boxes_xyxy[row])).sum(axis=0) / whole
    return voted
