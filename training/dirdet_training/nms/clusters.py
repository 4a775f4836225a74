"""IoU-guided NMS: the best localized box of a cluster survives, with the cluster's best classification score."""

import torch
from torch import Tensor
from torchvision.ops import box_iou

from dirdet_training.nms.inputs import require_inputs
from dirdet_training.nms.ranked import ranked_nms


def iou_nms(
    boxes_xyxy: Tensor, scores: Tensor, ious: Tensor, class_ids: Tensor, *, iou_threshold: float
) -> tuple[Tensor, Tensor]:
    """NMS led by the predicted IoU, whose survivors inherit scores (IoU-Net, ECCV 2018, Algorithm 1).

    Args:
        boxes_xyxy: [N, 4], pixels.
        scores: [N], the classifier's probabilities.
        ious: [N], predicted localization confidences; only their order matters.
        class_ids: [N], integers; classes do not meet.
        iou_threshold: in [0, 1]; a box joins the cluster of a survivor that it overlaps with an IoU above this.

    Returns:
        Indices [K] of the survivors and their confidences [K], the highest score in each one's cluster; highest
        confidence first, and by predicted IoU where those are equal.

    Raises:
        ValueError: the inputs are not of one length, or the threshold is out of range.
    """
    require_inputs(iou_threshold, boxes=boxes_xyxy, scores=scores, ious=ious, class_ids=class_ids)
    survivors = ranked_nms(boxes_xyxy, ious, class_ids, iou_threshold=iou_threshold)  # [K]
    if len(survivors) == 0:
        return survivors, scores[survivors]
    boxes = boxes_xyxy.float()
    covered = box_iou(boxes, boxes[survivors]) > iou_threshold  # [N, K]
    covered &= class_ids[:, None] == class_ids[survivors][None]
    # Survivors come best first, so a box went to the first one that covers it. A survivor keeps to itself. A box
    # that rounding puts on the threshold's other side than in NMS has no cluster, and its score counts for none.
    owners = covered.byte().argmax(dim=1)  # [N]
    owned = covered.any(dim=1)  # [N]
    owners[survivors] = torch.arange(len(survivors), device=owners.device)
    owned[survivors] = True
    confidences = scores.new_zeros(len(survivors))
    confidences = confidences.scatter_reduce(0, owners[owned], scores[owned], "amax", include_self=False)
    confidences, order = confidences.sort(descending=True, stable=True)
    return survivors[order], confidences
