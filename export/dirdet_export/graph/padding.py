"""The size of a picture after a Pad step of the test pipeline, which MMDetection counts as picture."""

from collections.abc import Sequence

import torch
from torch import Tensor


def padded_hw(picture_hw: Tensor, multiple: int, at_least_hw: Sequence[int]) -> Tensor:
    """Height and width [B, 2] of padded pictures.

    Args:
        picture_hw: [B, 2], integers, pixels.
        multiple: both sides become multiples of this.
        at_least_hw: both sides become at least these, pixels.
    """
    height, width = (side.clamp(min=least) for side, least in zip(picture_hw.unbind(1), at_least_hw, strict=True))
    sides = torch.stack([height, width], dim=1)
    return torch.div(sides + (multiple - 1), multiple, rounding_mode="trunc") * multiple
