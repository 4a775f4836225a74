"""Every non-maximum suppression, as pure functions on tensors."""

from dirdet_training.nms.clusters import iou_nms
from dirdet_training.nms.ranked import confidence, ranked_nms
from dirdet_training.nms.soft import soft_nms

__all__ = ["confidence", "iou_nms", "ranked_nms", "soft_nms"]
