"""How good a localization confidence is: plain numpy in, figures out."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def pearson(predicted: FloatArray, true: FloatArray) -> float:
    """Pearson's correlation of predicted and true values (Figure 4).

    Args:
        predicted: [N].
        true: [N].

    Returns:
        In [-1, 1]; nan for fewer than two pairs or where one side does not vary.

    Raises:
        ValueError: the two are not of one length.
    """
    if predicted.shape != true.shape:
        raise ValueError(f"predicted and true must have one shape, not {predicted.shape} and {true.shape}")
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(true) == 0:
        return float("nan")
    return float(np.corrcoef(predicted, true)[0, 1])
