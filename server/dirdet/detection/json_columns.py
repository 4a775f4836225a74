"""Writes the values of fields of each kind for JSON, many at once: numbers are rounded as arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dirdet.detection.field_declaration import Box, Kind
from dirdet.detection.rle import Rle

Floats = NDArray[np.float64]
# Rounds numbers of any shape; each result is the float64 closest to its decimal digits, as if it was read from them.
Rounding: TypeAlias = Callable[[Floats], Floats]
Writers: TypeAlias = Mapping[Kind, Callable[[Sequence[Any]], Sequence[Any]]]

# Those that a float64 holds exactly: a whole number divided by one of them is rounded once.
POWERS = np.array([float(10**exponent) for exponent in range(23)])


def decimals(places: int) -> Rounding:
    """Rounds to a number of decimal places."""
    return lambda values: np.round(values, places)


def significant(digits: int) -> Rounding:
    """Rounds to a number of significant digits; numbers from 10^digits to whole ones."""
    layout = f".{digits}g"

    def rounded(values: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            places = digits - 1 - np.floor(np.log10(np.abs(values)))
        power = POWERS[np.clip(places, 0, len(POWERS) - 1).astype(np.int64)]
        found = np.rint(values * power) / power
        tiny = (places >= len(POWERS)) & (values != 0)
        if tiny.any():
            found[tiny] = [float(format(each, layout)) for each in values[tiny].tolist()]
        return found

    return rounded


def writers(*, side: Rounding, fraction: Rounding) -> Writers:
    """Functions that write values of each kind in JSON.

    Args:
        side: rounds the coordinates of boxes.
        fraction: rounds numbers in 0..1.
    """

    def write_boxes(boxes: Sequence[Box]) -> list[list[float]]:
        return side(np.array(boxes, np.float64)).tolist()

    def write_fractions(values: Sequence[float]) -> list[float]:
        return fraction(np.array(values, np.float64)).tolist()

    return {
        "box": write_boxes,
        "fraction": write_fractions,
        "integer": lambda values: [int(each) for each in values],
        "text": lambda values: [str(each) for each in values],
        "mask": _write_masks,
    }


def _write_masks(masks: Sequence[Rle]) -> list[dict[str, Any]]:
    return [each.to_json() for each in masks]


def written(values: Sequence[Any], write: Callable[[Sequence[Any]], Sequence[Any]]) -> Sequence[Any]:
    """Values in JSON; None stays None."""
    if None not in values:
        return write(values) if values else values
    there = [each for each in values if each is not None]
    told = iter(write(there) if there else there)
    return [None if each is None else next(told) for each in values]
