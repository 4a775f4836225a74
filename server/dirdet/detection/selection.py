"""Steps of the ranked NMS beyond the paper's: clusters by the score, representatives, voting, the reported value.

The network's own NMS is the paper's. For a bundle with these steps, candidates are selected here, by any engine.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dirdet.detection.calibration import Floats, Knots
from dirdet.detection.ranking import confidence, iou_with, ranked_nms

Fraction = Annotated[float, Field(ge=0, le=1)]
Rows = NDArray[np.int64]
# Of a table of boxes with boxes: half a megabyte.
MOST_PAIRS = 65_536
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


def _overlaps(boxes_xyxy: Floats, class_id: Rows, rows: Rows, others: Rows | slice) -> Floats:
    """IoU of some boxes with others [K, N]; 0 of another class."""
    alike = class_id[rows, None] == class_id[others]
    return np.where(alike, iou_with(boxes_xyxy[rows, None], boxes_xyxy[others]), 0)


def _blocks(rows: Rows, count: int) -> Iterator[slice]:
    """Parts of the rows for which a table of the rows with all N stays small: a request may ask for thousands."""
    step = max(1, MOST_PAIRS // max(1, count))
    return (slice(start, start + step) for start in range(0, len(rows), step))


def _represented(
    boxes_xyxy: Floats, class_id: Rows, fits: Floats, heads: Rows, *, iou_threshold: float, member_iou: float
) -> Rows:
    """The best fitting member of each head's cluster, [K]; of equal ones the head, then the first.

    A cluster is what its head covers and no head before it does.
    """
    standing = heads.copy()
    free = np.ones(len(fits), np.bool_)
    free[heads] = False
    for block in _blocks(heads, len(fits)):
        waiting = np.flatnonzero(free)
        ious = _overlaps(boxes_xyxy, class_id, heads[block], waiting)  # [heads, waiting]
        covers = ious > iou_threshold
        owner = covers.argmax(axis=0)  # [waiting], the first head that covers it
        covered = covers.any(axis=0)
        free[waiting[covered]] = False
        close = ious[owner, np.arange(len(waiting))] > member_iou
        better = np.flatnonzero(covered & close & (fits[waiting] > fits[heads[block]][owner]))
        # The worst first, of equal ones the last: the best of each owner is written last.
        better = better[::-1][fits[waiting[better]][::-1].argsort(kind="stable")]
        standing[block][owner[better]] = waiting[better]
    return standing


def _voted(boxes_xyxy: Floats, class_id: Rows, weights: Floats, rows: Rows, voting: Voting) -> Floats:
    """Weighted means, [K, 4]; a box on which no weight falls stays."""
    voted = boxes_xyxy[rows]
    for block in _blocks(rows, len(weights)):
        ious = _overlaps(boxes_xyxy, class_id, rows[block], slice(None))  # [rows, N]
        place, near = np.nonzero(ious > voting.iou_threshold)  # [pairs]
        weighed = weights[near] * np.exp(-((1 - ious[place, near]) ** 2) / voting.spread)
        whole = np.bincount(place, weighed, len(ious))
        moves = weighed[:, None] * (boxes_xyxy[near] - boxes_xyxy[rows[block]][place])  # [pairs, 4]
        sums = np.stack([np.bincount(place, move, len(ious)) for move in moves.T], axis=1)
        # Where no box votes at all, numpy's sums are whole numbers.
        voted[block] += np.divide(sums, whole[:, None], out=np.zeros(sums.shape), where=whole[:, None] > 0)
    return voted
