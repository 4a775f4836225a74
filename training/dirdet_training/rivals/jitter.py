"""Boxes around objects whose IoU with the object is uniform: what IoU-Net's predictor is trained on."""

import torch
from torch import Tensor

from dirdet_training import geometry

# Each step halves what is unknown of how far a box moves; float32 has 24 bits.
BISECTIONS = 24


def jittered_boxes(
    objects_xyxy: Tensor, count: int, generator: torch.Generator | None = None, *, min_iou: float = 0.5
) -> Tensor:
    """Boxes whose IoU with their object is drawn uniformly from [min_iou, 1] (IoU-Net, ECCV 2018).

    A box leaves its object in a random direction, every side at its own speed. On that way the IoU only falls: per
    axis the overlap shrinks, and so does its share of the box. Once the fastest side has moved outwards by k times the
    object's width or height the box is 1 + k times as wide or high and the IoU 1 / (1 + k) at most; inwards nothing is
    left at k = 1. So bisection finds where it is the one drawn. Nothing is rejected, and no bin runs empty, however
    small min_iou leaves the room.

    Args:
        objects_xyxy: [G, 4], pixels, none of them empty.
        count: boxes for each object.
        generator: where randomness comes from, on the objects' device; torch's own if None.
        min_iou: in (0, 1].

    Returns:
        [G, count, 4], pixels, each with an IoU of at least min_iou; some reach out of the picture.

    Raises:
        ValueError: an object is empty, count is negative, or min_iou is out of range.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, not {count}")
    if not 0 < min_iou <= 1:
        raise ValueError(f"min_iou must be in (0, 1], not {min_iou}")
    objects_xyxy = objects_xyxy.float()
    empty = geometry.areas(objects_xyxy) <= 0
    if bool(empty.any()):
        raise ValueError(f"an empty object has no boxes around it: {objects_xyxy[empty][0].tolist()}")
    shape, device = (len(objects_xyxy), count), objects_xyxy.device
    targets = min_iou + (1 - min_iou) * torch.rand(shape, generator=generator, device=device)  # [G, count]
    directions = torch.randn((*shape, 4), generator=generator, device=device)  # [G, count, 4]
    directions /= directions.abs().amax(dim=-1, keepdim=True)
    sizes_wh = (objects_xyxy[:, 2:] - objects_xyxy[:, :2]).repeat(1, 2)  # [G, 4]
    moves = directions * sizes_wh[:, None]  # [G, count, 4], in one unit of the way
    objects = objects_xyxy[:, None]  # [G, 1, 4]

    near, far = torch.zeros_like(targets), torch.full_like(targets, max(1.0, 1 / min_iou - 1))
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        fits = geometry.iou(objects + middle[..., None] * moves, objects) >= targets
        near, far = torch.where(fits, middle, near), torch.where(fits, far, middle)
    # The near end was seen to have at least the IoU drawn, so min_iou holds to the bit.
    return objects + near[..., None] * moves
