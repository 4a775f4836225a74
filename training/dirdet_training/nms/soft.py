"""Soft-NMS: lowers the scores of a better box's neighbours instead of suppressing them."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dirdet_training.nms.inputs import class_ends, require_inputs

Decay = Literal["linear", "gaussian"]


def soft_nms(
    boxes_xyxy: Tensor,
    scores: Tensor,
    class_ids: Tensor,
    *,
    decay: Decay,
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    min_score: float = 0.001,
) -> tuple[Tensor, Tensor]:
    """Takes the best box of a class, lowers all other scores by their IoU with it, and repeats (ICCV 2017, Figure 2).

    A score is multiplied by 1 - IoU if the IoU reaches the threshold for "linear", by exp(-IoU^2 / sigma) for
    "gaussian". It is computed on the CPU, whatever the tensors' device is, because a GPU is slow at processing one box
    after another.

    Args:
        boxes_xyxy: [N, 4], pixels.
        scores: [N] in [0, 1]: the values that rank the boxes and decay.
        class_ids: [N], integers; boxes of different classes do not affect each other.
        decay: the kind of decay.
        iou_threshold: the threshold of the linear decay, in [0, 1]; the Gaussian has none.
        sigma: the sigma of the Gaussian decay, above 0; a smaller sigma lowers scores more.
        min_score: above 0; a box whose score falls below it is removed.

    Returns:
        Indices [K] and decayed scores [K], highest first; of equal scores the lower index is first.

    Raises:
        ValueError: the inputs differ in length, or a setting, a score or a box is out of range.
    """
    # The import is here because compiling takes a second, and only Soft-NMS needs it.
    from dirdet_training.nms import soft_kernel

    require_inputs(iou_threshold, boxes=boxes_xyxy, scores=scores, class_ids=class_ids)
    if decay not in ("linear", "gaussian"):
        raise ValueError(f"decay must be 'linear' or 'gaussian', not {decay!r}")
    if not sigma > 0 or not min_score > 0:
        raise ValueError(f"sigma and min_score must be above 0, not {sigma} and {min_score}")
    start = scores.detach().to("cpu", torch.float32).numpy()  # [N]
    if not bool(((start >= 0) & (start <= 1)).all()):
        raise ValueError(f"scores must be in [0, 1], not from {start.min()} to {start.max()}")
    classes = class_ids.detach().cpu().numpy()
    order = np.argsort(classes, kind="stable")  # [N], class by class
    ends = class_ends(classes[order])  # [classes]
    corners = boxes_xyxy.detach().to("cpu", torch.float32).numpy().T.take(order, axis=1)  # [4, N]
    if not bool(np.isfinite(corners).all()):
        raise ValueError("boxes must be finite")
    gaussian = decay == "gaussian"
    # For logarithms the Gaussian decay is a subtraction. Relative to min_score, the remaining keys are not negative.
    levels = np.log(np.maximum(start, min_score / 2) / min_score).astype(np.float32) if gaussian else start
    keys = levels[order]  # [N]
    picked = soft_kernel.pick(
        corners,
        keys.copy(),
        ends,
        gaussian,
        np.float32(1 / sigma if gaussian else iou_threshold),
        np.float32(0 if gaussian else min_score),
    )  # [N], the key each box was picked with; negative where it was not
    # The score is changed by the difference of keys, so that a box without loss keeps exactly its score.
    left = np.where(picked >= 0, start[order] * np.exp(picked - keys), picked) if gaussian else picked
    decayed = np.empty_like(left)
    decayed[order] = left
    kept = np.flatnonzero(decayed >= 0)
    kept = kept[np.argsort(-decayed[kept], kind="stable")]
    return (
        torch.from_numpy(kept).to(scores.device),
        torch.from_numpy(decayed[kept]).to(device=scores.device, dtype=scores.dtype),
    )
