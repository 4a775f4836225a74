"""Voting: replaces a kept box by the weighted mean of the boxes around it."""

import torch
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.nms.inputs import require_inputs


def voted_boxes(
    boxes_xyxy: Tensor,
    weights: Tensor,
    class_ids: Tensor,
    kept: Tensor,
    *,
    iou_threshold: float = 0.5,
    spread: float = 0.025,
) -> Tensor:
    """Computes the mean of the boxes that overlap each kept box, with weights weight * exp(-(1 - IoU)^2 / spread).

    The decay by overlap is Softer-NMS's (CVPR 2019, section 3.3); the caller chooses the weights.

    Args:
        boxes_xyxy: [N, 4], pixels; on any device.
        weights: [N], not negative.
        class_ids: [N], integers; boxes of different classes do not affect each other.
        kept: [K], indices of the boxes that an NMS keeps.
        iou_threshold: in [0, 1]; boxes whose IoU with the kept box is above this vote.
        spread: above 0; with a smaller spread, boxes must be closer to the kept box to have weight.

    Returns:
        [K, 4] inside the hull of the boxes that voted; a kept box is not changed if all weights are 0.

    Raises:
        ValueError: the inputs differ in length, a setting is out of range, or a weight is negative.
    """
    require_inputs(iou_threshold, boxes=boxes_xyxy, weights=weights, class_ids=class_ids)
    if not spread > 0:
        raise ValueError(f"spread must be above 0, not {spread}")
    if bool((weights < 0).any()):
        raise ValueError(f"weights must not be negative, not {weights.min().item()}")
    boxes = boxes_xyxy.detach().float()
    heads = boxes[kept]  # [K, 4]
    ious = geometry.iou(heads[:, None], boxes[None])  # [K, N]
    votes = (ious > iou_threshold) & (class_ids[kept][:, None] == class_ids[None])
    by_overlap = torch.exp(-((1 - ious) ** 2) / spread)
    weighed = torch.where(votes, weights.detach().float()[None] * by_overlap, 0)  # [K, N]
    whole = weighed.sum(dim=1, keepdim=True)  # [K, 1]
    nobody = whole <= 0
    # The mean is computed as a move of the kept box, so that the mean of equal boxes is exactly that box.
    moves = (weighed[..., None] * (boxes[None] - heads[:, None])).sum(dim=1)  # [K, 4]
    return torch.where(nobody, heads, heads + moves / torch.where(nobody, 1, whole)).to(boxes_xyxy.dtype)
