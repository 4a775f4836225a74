"""IoU-guided NMS: the best localized box of a cluster survives, with the cluster's best classification score."""

import torch
from torch import Tensor

from dirdet_training.nms.hard import suppressed
from dirdet_training.nms.inputs import require_inputs


def iou_nms(
    boxes_xyxy: Tensor, scores: Tensor, ious: Tensor, class_ids: Tensor, *, iou_threshold: float
) -> tuple[Tensor, Tensor]:
    """NMS led by the predicted IoU, whose survivors inherit scores (IoU-Net, ECCV 2018, Algorithm 1).

    It is computed on the CPU, wherever the tensors are.

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
    owners, survivors = map(
        torch.from_numpy, suppressed(boxes_xyxy, ious, class_ids, iou_threshold=iou_threshold)
    )  # [N], [K]
    on_cpu = scores.detach().cpu()
    best = on_cpu.scatter_reduce(0, owners, on_cpu, "amax")  # [N], at each survivor's place
    confidences, order = best[survivors].sort(descending=True, stable=True)
    return survivors[order].to(scores.device), confidences.to(scores.device)
