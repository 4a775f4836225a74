"""Purity, integrity and IoU of pairs of boxes, and the identity that relates them: pure functions on tensors."""

import torch
from torch import Tensor
from torch.nn import functional


def areas(boxes_xyxy: Tensor) -> Tensor:
    """Areas of boxes; the area of an inverted box is 0.

    Args:
        boxes_xyxy: [..., 4], pixels.

    Returns:
        [...], square pixels, not negative.
    """
    sides_wh = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp(min=0)  # [..., 2]
    return sides_wh[..., 0] * sides_wh[..., 1]


def overlaps(boxes_xyxy: Tensor, objects_xyxy: Tensor) -> Tensor:
    """Areas of the intersections of box pairs.

    Args:
        boxes_xyxy: [..., 4], pixels.
        objects_xyxy: [..., 4], pixels, broadcast against the boxes.

    Returns:
        [...], square pixels; 0 where a pair is disjoint or one of it is empty.
    """
    top_left = torch.maximum(boxes_xyxy[..., :2], objects_xyxy[..., :2])
    bottom_right = torch.minimum(boxes_xyxy[..., 2:], objects_xyxy[..., 2:])
    return areas(torch.cat([top_left, bottom_right], dim=-1))


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """The quotient part / whole, 0 where the whole is empty."""
    empty = whole <= 0
    return torch.where(empty, 0.0, part / torch.where(empty, 1.0, whole))


def purity(boxes_xyxy: Tensor, objects_xyxy: Tensor) -> Tensor:
    """The share of each box that the object covers: overlap / area of the box (Eq. 3).

    Args:
        boxes_xyxy: [..., 4], pixels.
        objects_xyxy: [..., 4], pixels, broadcast against the boxes.

    Returns:
        [...] in [0, 1]; 0 for an empty box.
    """
    # A product of rounded sides may exceed the area by an ulp.
    return _ratio(overlaps(boxes_xyxy, objects_xyxy), areas(boxes_xyxy)).clamp(max=1)


def integrity(boxes_xyxy: Tensor, objects_xyxy: Tensor) -> Tensor:
    """The share of each object that the box covers: overlap / area of the object (Eq. 4).

    Args:
        boxes_xyxy: [..., 4], pixels.
        objects_xyxy: [..., 4], pixels, broadcast against the boxes.

    Returns:
        [...] in [0, 1]; 0 for an empty object.
    """
    return _ratio(overlaps(boxes_xyxy, objects_xyxy), areas(objects_xyxy)).clamp(max=1)


def iou(boxes_xyxy: Tensor, objects_xyxy: Tensor) -> Tensor:
    """Intersection over union of box pairs (Eq. 1).

    Args:
        boxes_xyxy: [..., 4], pixels.
        objects_xyxy: [..., 4], pixels, broadcast against the boxes.

    Returns:
        [...] in [0, 1]; 0 for a pair of empty boxes.
    """
    overlap = overlaps(boxes_xyxy, objects_xyxy)
    return _ratio(overlap, areas(boxes_xyxy) + areas(objects_xyxy) - overlap).clamp(max=1)


def combine(purities: Tensor, integrities: Tensor) -> Tensor:
    """IoU from purity and integrity: 1 / (1/p + 1/i - 1) (Eq. 5), written as p*i / (p + i*(1 - p)).

    The product form does not divide by a purity or integrity of 0, so gradients stay finite there. Its denominator is
    0 only if both are 0; the IoU and its gradient are then 0. With this order of operations rounding cannot make the
    result larger than 1. No clamp is needed, which would set the gradient to 0 where both are 1.

    Args:
        purities: [...] in [0, 1].
        integrities: [...] in [0, 1], the same shape.

    Returns:
        [...] in [0, 1].
    """
    return _ratio(purities * integrities, purities + integrities * (1 - purities))


def combine_logits(purity_logits: Tensor, integrity_logits: Tensor) -> Tensor:
    """Logit of the IoU from the logits of purity and integrity (Eq. 5 without a division).

    With p = sigmoid(x), i = sigmoid(y), Eq. 5 is 1 / (1 + e^-x + e^-y), whose logit is -log(e^-x + e^-y).
    Finite, with gradients in [0, 1] that sum to 1, for all finite logits.

    Args:
        purity_logits: [...].
        integrity_logits: [...], the same shape.

    Returns:
        [...].
    """
    # -logaddexp(-x, -y), written with softplus, which ONNX has.
    smaller = torch.minimum(purity_logits, integrity_logits)
    larger = torch.maximum(purity_logits, integrity_logits)
    return smaller - functional.softplus(smaller - larger)
