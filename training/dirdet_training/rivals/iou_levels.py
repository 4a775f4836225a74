"""Levels of IoU, as Rank-NMS and Fitness NMS divide boxes."""

from torch import Tensor

LOWEST_IOU = 0.5


def iou_levels(ious: Tensor, levels: int) -> Tensor:
    """Levels of IoU of one width from 0.5 to 1, [N] integers in [0, levels); what is below joins the lowest."""
    steps = (ious - LOWEST_IOU) / (1 - LOWEST_IOU) * levels
    return steps.floor().long().clamp(0, levels - 1)
