"""IoU-guided NMS: the box of a cluster with the highest predicted IoU survives, with the cluster's highest score."""

import torch
from torch import Tensor

from dirdet_training.nms.hard import suppressed
from dirdet_training.nms.inputs import require_inputs


def iou_nms(
    boxes_xyxy: Tensor, scores: Tensor, ious: Tensor, class_ids: Tensor, *, iou_threshold: float
) -> tuple[Tensor, Tensor]:
    """Applies NMS ranked by the predicted IoU, in which survivors inherit scores (IoU-Net, ECCV 2018, Algorithm 1).

    It is computed on the CPU, whatever the tensors' device is.

    Args:
        boxes_xyxy: [N, 4], pixels.
        scores: [N], the classifier's probabilities.
        ious: [N], predicted localization confidences; only their order matters.
        class_ids: [N], integers; boxes of different classes do not affect each other.
        iou_threshold: in [0, 1]; a box joins the cluster of a survivor that it overlaps with an IoU above this.

    Returns:
        Indices [K] of the survivors and their confidences [K], the highest score in the survivor's cluster; highest
        confidence first, and equal confidences by predicted IoU.

    Raises:
        ValueError: the inputs differ in length, or the threshold is out of range.
    """
    require_inputs(iou_threshold, boxes=boxes_xyxy, scores=scores, ious=ious, class_ids=class_ids)
    owners, survivors = map(
        torch.from_numpy, suppressed(boxes_xyxy, ious, class_ids, iou_threshold=iou_threshold)
    )  # [N], [K]
    on_cpu = scores.detach().cpu()
    best = on_cpu.scatter_reduce(0, owners, on_cpu, "amax")  # [N], at each survivor's place
    confidences, order = best[survivors].sort(descending=True, stable=True)
    return survivors[order].to(scores.device), confidences.to(scores.device)
