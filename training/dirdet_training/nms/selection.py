"""All settings of the ranked NMS: the rank, the boxes that are kept, and the confidence that is reported."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from torch import Tensor

from dirdet.errors import DirdetError
from dirdet_training.confidence import confidence
from dirdet_training.nms.by_rank import ranked_nms
from dirdet_training.nms.calibrated import Calibrated, Knots
from dirdet_training.nms.representatives import represented_nms
from dirdet_training.nms.voting import voted_boxes

By = Literal["confidence", "score"]
ReportBy = Literal["confidence", "score", "calibrated"]
CHOICES: Mapping[str, tuple[str, ...]] = {
    "cluster_by": ("confidence", "score"),
    "report_by": ("confidence", "score", "calibrated"),
}


class SelectionError(DirdetError, ValueError):
    """A setting of the ranked NMS is unknown or invalid."""


class Selected(NamedTuple):
    """The kept ones of N candidates, highest reported confidence first.

    Attributes:
        indices: [K], the candidates whose score, iou and class are reported.
        confidences: [K], the reported confidences, which also order the result.
        boxes_xyxy: [K, 4], pixels: the candidate's own box, or the voted box.
    """

    indices: Tensor
    confidences: Tensor
    boxes_xyxy: Tensor


@dataclass(frozen=True)
class Voting:
    """Settings of voting: a box's weight is score * iou^iou_power * exp(-(1 - IoU with the kept box)^2 / spread)."""

    iou_power: float = 1.0
    spread: float = 0.025
    iou_threshold: float = 0.5

    def boxes(self, boxes_xyxy: Tensor, scores: Tensor, ious: Tensor, class_ids: Tensor, kept: Tensor) -> Tensor:
        """Computes the voted boxes [K, 4] of the kept [K] of N candidates."""
        weights = scores * ious**self.iou_power
        return voted_boxes(boxes_xyxy, weights, class_ids, kept, iou_threshold=self.iou_threshold, spread=self.spread)


@dataclass(frozen=True)
class Representative:
    """A cluster's representative: of the boxes with an IoU above member_iou with the head, the most confident one.

    Attributes:
        iou_weight: w of that confidence, score^(1-w) * iou^w.
        member_iou: in [0, 1].
    """

    iou_weight: float = 0.8
    member_iou: float = 0.7


@dataclass(frozen=True)
class Selection:
    """The steps of the ranked NMS; the defaults are the paper's.

    Attributes:
        iou_weight: w of the confidence, score^(1-w) * iou^w; 0 is the plain detector.
        cluster_by: the rank of NMS: the confidence (the paper), or the score, which separates objects from background
            and duplicates.
        representative: the representative of each cluster; None takes the head.
        voting: how the boxes of a cluster vote; None turns voting off.
        report_by: the value that is reported as confidence and orders the result; "calibrated" is the product of
            calibration.
        calibration: the calibration of score and iou, for report_by "calibrated".
    """

    iou_weight: float = 0.5
    cluster_by: By = "confidence"
    representative: Representative | None = None
    voting: Voting | None = None
    report_by: ReportBy = "confidence"
    calibration: Calibrated | None = None

    def __post_init__(self) -> None:
        """Raises SelectionError if a setting is invalid."""
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise SelectionError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        if self.report_by == "calibrated" and self.calibration is None:
            raise SelectionError("report_by 'calibrated' needs a calibration: knots of score and of iou")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Selection":
        """Makes the selection of a test_cfg, which may hold other settings too.

        Raises:
            SelectionError: a setting is invalid, or the NMS is not a hard one.
        """
        nms = settings.get("nms")
        kind = nms.get("type", "nms") if isinstance(nms, Mapping) else "nms"
        if kind != "nms":
            raise SelectionError(f"test_cfg.rcnn.nms.type is {kind!r}; the ranked NMS has 'nms' only")
        said = {field.name: settings[field.name] for field in fields(cls) if settings.get(field.name) is not None}
        for name, kind in (("representative", Representative), ("voting", Voting)):
            if name in said and isinstance(said[name], Mapping):
                said[name] = _part(kind, name, said[name])
        if isinstance(said.get("calibration"), Mapping):
            said["calibration"] = _calibration(said["calibration"])
        return cls(**said)

    def __call__(
        self, boxes_xyxy: Tensor, scores: Tensor, ious: Tensor, class_ids: Tensor, *, iou_threshold: float
    ) -> Selected:
        """Applies the steps to candidates.

        Args:
            boxes_xyxy: [N, 4], pixels.
            scores: [N] in [0, 1].
            ious: [N] in [0, 1], predicted.
            class_ids: [N], integers; classes do not meet.
            iou_threshold: in [0, 1], of NMS.

        Raises:
            ValueError: the inputs differ in length, or a setting is out of range.
        """
        rated = {"score": scores, "confidence": confidence(scores, ious, self.iou_weight)}
        lead = rated[self.cluster_by]
        if self.representative is None:
            kept = ranked_nms(boxes_xyxy, lead, class_ids, iou_threshold=iou_threshold)
        else:
            fits = confidence(scores, ious, self.representative.iou_weight)
            kept = represented_nms(
                boxes_xyxy,
                lead,
                fits,
                class_ids,
                iou_threshold=iou_threshold,
                member_iou=self.representative.member_iou,
            ).representatives
        if self.calibration is not None:
            rated["calibrated"] = self.calibration(scores, ious)
        reported, order = rated[self.report_by][kept].sort(descending=True, stable=True)
        kept = kept[order]
        boxes = (
            boxes_xyxy[kept] if self.voting is None else self.voting.boxes(boxes_xyxy, scores, ious, class_ids, kept)
        )
        return Selected(kept, reported, boxes)


def _calibration(settings: Mapping[str, Any]) -> Calibrated:
    try:
        return Calibrated(Knots.of(settings["score"]), Knots.of(settings["iou"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise SelectionError(f"calibration must have knots x and y of score and of iou: {exc}") from exc


def _part(kind: type[Any], name: str, settings: Mapping[str, Any]) -> Any:  # noqa: ANN401
    known = [field.name for field in fields(kind)]
    if unknown := sorted(set(settings) - {*known, "type"}):
        raise SelectionError(f"{name} has no setting {unknown[0]!r}; it has {', '.join(known)}")
    return kind(**settings)
