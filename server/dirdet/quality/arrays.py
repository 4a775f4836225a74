"""Checks of the arrays that the measures take."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def require_pairs(first: NDArray[np.generic], second: NDArray[np.generic], names: str) -> None:
    """Raises ValueError unless both have the same shape [N]; `names` names them, e.g. 'predicted and true'."""
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"{names} must have one shape [N], not {first.shape} and {second.shape}")
