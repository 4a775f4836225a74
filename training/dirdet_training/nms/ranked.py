"""Ranked non-maximum suppression: hard NMS, whatever the rank is made of."""

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from dirdet_training.nms.hard import suppressed
from dirdet_training.nms.inputs import require_inputs


def confidence(scores: Tensor, ious: Tensor, iou_weight: float | Tensor = 0.5) -> Tensor:
    """score^(1-w) * iou^w: what NMS ranks by and a detection reports (section 3.4, the geometric mean for w = 0.5).

    Args:
        scores: [...] in [0, 1], the classifier's probabilities.
        ious: [...] in [0, 1], the predicted localization confidences.
        iou_weight: w in [0, 1]; 0 is the plain detector.

    Returns:
        [...] in [0, 1].
    """
    return scores ** (1 - iou_weight) * ious**iou_weight


def ranked_nms(boxes_xyxy: Tensor, ranks: Tensor, class_ids: Tensor, *, iou_threshold: float) -> Tensor:
    """Greedy NMS per class that keeps, of boxes overlapping above the threshold, the higher ranked (section 3.1).

    On a GPU and in a graph that is traced it is torchvision's `batched_nms`. On the CPU it keeps what torchvision's
    `nms` keeps of each class alone; `batched_nms` may there see an IoU some 1e-5 off, because it moves classes apart
    and rounds.

    Args:
        boxes_xyxy: [N, 4], pixels.
        ranks: [N], any real numbers; only their order matters.
        class_ids: [N], integers; boxes of different classes never suppress each other.
        iou_threshold: in [0, 1]; a box is suppressed by one that it overlaps with an IoU above this.

    Returns:
        [K] indices of the kept boxes, highest rank first, and of equal ranks (on the CPU) the lower index first.

    Raises:
        ValueError: the three inputs are not of one length, or the threshold is out of range.
    """
    require_inputs(iou_threshold, boxes=boxes_xyxy, ranks=ranks, class_ids=class_ids)
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    if boxes_xyxy.device.type != "cpu" or tracing or torch.compiler.is_compiling():
        return batched_nms(boxes_xyxy.float(), ranks.float(), class_ids, iou_threshold)
    return torch.from_numpy(suppressed(boxes_xyxy, ranks, class_ids, iou_threshold=iou_threshold).survivors)
