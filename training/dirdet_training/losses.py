"""The losses of Eq. 9: binary cross-entropy with soft targets on purity, integrity and their combination."""

from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from dirdet_training import geometry


class DIRLosses(NamedTuple):
    """The three terms of Eq. 9, scalars."""

    purity: Tensor
    integrity: Tensor
    iou: Tensor


def dir_losses(purity_logits: Tensor, integrity_logits: Tensor, boxes_xyxy: Tensor, objects_xyxy: Tensor) -> DIRLosses:
    """Mean losses over the boxes that positive proposals regress to (Eq. 9).

    No gradient flows through the boxes: the paper does not specify it, and a box must not move to become easier to
    judge.

    Args:
        purity_logits: [N].
        integrity_logits: [N].
        boxes_xyxy: [N, 4], the refined boxes, pixels.
        objects_xyxy: [N, 4], the objects the proposals were assigned to, pixels.

    Returns:
        Three scalars; zero, but joined to the graph, for N = 0.
    """
    boxes_xyxy = boxes_xyxy.detach()
    return DIRLosses(
        purity=soft_bce(purity_logits, geometry.purity(boxes_xyxy, objects_xyxy)),
        integrity=soft_bce(integrity_logits, geometry.integrity(boxes_xyxy, objects_xyxy)),
        iou=soft_bce(geometry.combine_logits(purity_logits, integrity_logits), geometry.iou(boxes_xyxy, objects_xyxy)),
    )


def iou_loss(iou_logits: Tensor, boxes_xyxy: Tensor, objects_xyxy: Tensor) -> Tensor:
    """Mean loss of a head that predicts the IoU by itself, without the decoupling (Table 3).

    Args:
        iou_logits: [N].
        boxes_xyxy: [N, 4], the refined boxes, pixels; no gradient flows through them.
        objects_xyxy: [N, 4], the objects the proposals were assigned to, pixels.

    Returns:
        A scalar; zero, but joined to the graph, for N = 0.
    """
    return soft_bce(iou_logits, geometry.iou(boxes_xyxy.detach(), objects_xyxy))


def soft_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits [N] with targets [N] in [0, 1]; zero, but joined to the graph, for N = 0."""
    # In float32 under autocast too: the targets are close to 1 and half precision would round them there.
    total = binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="sum")
    return total / max(len(logits), 1)
