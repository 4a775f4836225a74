"""Ranked non-maximum suppression: hard NMS by any rank."""

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from dirdet_training.nms.hard import suppressed
from dirdet_training.nms.inputs import require_inputs


def ranked_nms(boxes_xyxy: Tensor, ranks: Tensor, class_ids: Tensor, *, iou_threshold: float) -> Tensor:
    """Applies greedy NMS per class: of boxes that overlap above the threshold the higher ranked is kept (section 3.1).

    On a GPU and in a traced graph it is torchvision's `batched_nms`. On the CPU it keeps the boxes that torchvision's
    `nms` keeps of each class alone; IoUs in `batched_nms` may there be wrong by about 1e-5, because it moves classes
    apart and rounds.

    Args:
        boxes_xyxy: [N, 4], pixels.
        ranks: [N], any real numbers; only their order matters.
        class_ids: [N], integers; boxes of different classes never suppress each other.
        iou_threshold: in [0, 1]; a box is suppressed by one that it overlaps with an IoU above this.

    Returns:
        [K] indices of the kept boxes, highest rank first; of equal ranks (on the CPU) the lower index is first.

    Raises:
        ValueError: the three inputs differ in length, or the threshold is out of range.
    """
    require_inputs(iou_threshold, boxes=boxes_xyxy, ranks=ranks, class_ids=class_ids)
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    if boxes_xyxy.device.type != "cpu" or tracing or torch.compiler.is_compiling():
        return batched_nms(boxes_xyxy.float(), ranks.float(), class_ids, iou_threshold)
    return torch.from_numpy(suppressed(boxes_xyxy, ranks, class_ids, iou_threshold=iou_threshold).survivors)
