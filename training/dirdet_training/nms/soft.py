"""Soft-NMS: neighbours of a better box lose score instead of being suppressed."""

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
    """Takes the best box of a class, lets every other one lose by its IoU with it, and repeats (ICCV 2017, Figure 2).

    The loss of score is 1 - IoU where the IoU reaches the threshold for "linear", exp(-IoU^2 / sigma) for "gaussian".
    It is computed on the CPU, wherever the tensors are: one box after another is no work for a GPU.

    Args:
        boxes_xyxy: [N, 4], pixels.
        scores: [N] in [0, 1]: what is ranked by and decays.
        class_ids: [N], integers; classes do not meet.
        decay: how scores fall.
        iou_threshold: in [0, 1], of the linear decay; the Gaussian has none.
        sigma: above 0, of the Gaussian decay; the smaller, the harder.
        min_score: above 0; a box whose score falls below is gone.

    Returns:
        Indices [K] and decayed scores [K], highest first, the lower index first where they are equal.

    Raises:
        ValueError: the inputs are not of one length, or a setting, a score or a box is out of range.
    """
    # Compiling takes a second, and only who decays softly waits for it.
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
    # In logarithms the Gaussian decay is a difference. Counted from min_score, what is left is not negative.
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
    # The difference of keys, so that a box that lost nothing keeps its score to the bit.
    left = np.where(picked >= 0, start[order] * np.exp(picked - keys), picked) if gaussian else picked
    decayed = np.empty_like(left)
    decayed[order] = left
    kept = np.flatnonzero(decayed >= 0)
    kept = kept[np.argsort(-decayed[kept], kind="stable")]
    return (
        torch.from_numpy(kept).to(scores.device),
        torch.from_numpy(decayed[kept]).to(device=scores.device, dtype=scores.dtype),
    )
