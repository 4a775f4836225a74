"""Every non-maximum suppression, as pure functions on tensors."""

from dirdet_training.confidence import confidence
from dirdet_training.nms.by_rank import ranked_nms
from dirdet_training.nms.calibrated import Calibrated, Knots
from dirdet_training.nms.clusters import iou_nms
from dirdet_training.nms.representatives import represented_nms
from dirdet_training.nms.selection import Representative, Selected, Selection, SelectionError, Voting
from dirdet_training.nms.soft import soft_nms
from dirdet_training.nms.voting import voted_boxes

__all__ = [
    "Calibrated",
    "Knots",
    "Representative",
    "Selected",
    "Selection",
    "SelectionError",
    "Voting",
    "confidence",
    "iou_nms",
    "ranked_nms",
    "represented_nms",
    "soft_nms",
    "voted_boxes",
]
