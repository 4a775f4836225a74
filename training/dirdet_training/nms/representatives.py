"""Clusters formed by one rank and represented by another: the score separates duplicates, the iou selects the box."""

from typing import NamedTuple

import torch
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.nms.by_rank import ranked_nms
from dirdet_training.nms.inputs import require_inputs


class Clusters(NamedTuple):
    """The K clusters that a ranked NMS forms from N boxes, in order of the heads' ranks, highest first.

    Attributes:
        heads: [K], the boxes that NMS keeps.
        representatives: [K], the member that represents each cluster.
    """

    heads: Tensor
    representatives: Tensor


def represented_nms(
    boxes_xyxy: Tensor,
    ranks: Tensor,
    fits: Tensor,
    class_ids: Tensor,
    *,
    iou_threshold: float,
    member_iou: float = 0.7,
) -> Clusters:
    """Applies ranked NMS and then represents each cluster by its member close to the head with the highest fit.

    A suppressed box belongs to the highest ranked kept box of its class that it overlaps above the threshold. Only
    boxes whose IoU with the head is above `member_iou` may represent a cluster, so that its place stays the one that
    the rank selected.

    Args:
        boxes_xyxy: [N, 4], pixels; on any device.
        ranks: [N], real numbers by which NMS ranks.
        fits: [N], real numbers; the member with the highest represents, of equal ones the head, then the lower index.
        class_ids: [N], integers; boxes of different classes do not affect each other.
        iou_threshold: the threshold of NMS, in [0, 1].
        member_iou: in [0, 1].

    Raises:
        ValueError: the inputs differ in length, or a threshold is out of range.
    """
    require_inputs(iou_threshold, boxes=boxes_xyxy, ranks=ranks, fits=fits, class_ids=class_ids)
    require_inputs(member_iou)
    heads = ranked_nms(boxes_xyxy, ranks, class_ids, iou_threshold=iou_threshold)  # [K]
    if not len(heads):
        return Clusters(heads, heads)
    boxes = boxes_xyxy.detach().float()
    ious = geometry.iou(boxes[heads][:, None], boxes[None])  # [K, N]
    same_class = class_ids[heads][:, None] == class_ids[None]
    # A box belongs to the first head, in order of rank, that overlaps it above the threshold; a head belongs to itself.
    covers = (ious > iou_threshold) & same_class
    covers[:, heads] = False
    owns = covers & (covers.cumsum(dim=0) == 1)
    may_stand = owns & (ious > member_iou)
    places = torch.arange(len(heads), device=heads.device)
    may_stand[places, heads] = True
    rated = torch.where(may_stand, fits.detach().float()[None], -torch.inf)  # [K, N]
    best = rated.max(dim=1)
    head_is_best = rated[places, heads] == best.values
    # On a GPU argmax may return any index of a tie; the lowest index among the best is the same on every device.
    first = (rated == best.values[:, None]).int().cumsum(dim=1).eq(0).sum(dim=1)  # [K]
    return Clusters(heads, torch.where(head_is_best, heads, first))
