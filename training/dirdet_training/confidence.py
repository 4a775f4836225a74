"""The confidence by which detections are ranked: plain torch, so that Triton runs the same code."""

from torch import Tensor


def confidence(scores: Tensor, ious: Tensor, iou_weight: float | Tensor = 0.5) -> Tensor:
    """score^(1-w) * iou^w (section 3.4: the geometric mean, w = 0.5).

    Args:
        scores: [...] in [0, 1], the classifier's probabilities.
        ious: [...] in [0, 1], the predicted localization confidences.
        iou_weight: w in [0, 1]; 0 is the plain detector.

    Returns:
        [...] in [0, 1].
    """
    return scores ** (1 - iou_weight) * ious**iou_weight
