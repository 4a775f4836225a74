"""The objects that MMEngine's checkpoints hold beside weights: numpy's numbers and histories of losses, no others.

With `weights_only`, torch reads a checkpoint by a list of allowed names. The real objects behind the names that
MMEngine needs (`getattr`, numpy's `_reconstruct`, `dtype`) would give a checkpoint access to any Python function, or to
memory at any address. This module replaces each by a stand-in that accepts the values that MMEngine writes and refuses
all others.
"""

import contextlib
import pickle
from collections.abc import Generator
from math import prod
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

STATISTICS = ("min", "max", "mean", "current")
# Booleans, integers, floats and complex numbers, whose bytes hold no pointers.
NUMBERS = frozenset(np.dtype(code).str[1:] for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] + "?")


class SavedDtype:
    """Stand-in for `numpy.dtype` of a plain number."""

    def __init__(self, code: object, *_flags: object) -> None:
        """Takes a code such as f8.

        Raises:
            UnpicklingError: the code is not that of a plain number.
        """
        if not isinstance(code, str) or code not in NUMBERS:
            raise pickle.UnpicklingError(f"numpy.dtype {code!r} is not the type of a plain number")
        self.value: Any = np.dtype(code)

    def __setstate__(self, state: object) -> None:
        """Takes (3, byte order, None, None, None, -1, -1, 0), as numpy 1 and 2 write for plain numbers."""
        match state:
            case (int(), ("<" | ">" | "|" | "=") as order, None, None, None, -1, -1, 0):
                self.value = self.value.newbyteorder(order)
            case _:
                raise pickle.UnpicklingError("numpy.dtype with parts, shape or flags is no type of plain numbers")


class SavedArray:
    """Stand-in for `numpy.ndarray` of plain numbers; empty until its state is read."""

    def __init__(self) -> None:
        """Makes an empty array, as numpy's `_reconstruct` does."""
        self.value: Any = np.empty(0)

    def __setstate__(self, state: object) -> None:
        """Takes (1, shape, SavedDtype, whether in Fortran's order, bytes); the sizes must agree."""
        match state:
            case (1, tuple() as shape, SavedDtype() as dtype, bool() as fortran, bytes() as raw) if all(
                type(length) is int and length >= 0 for length in shape
            ) and prod(shape) * dtype.value.itemsize == len(raw):
                flat = np.frombuffer(raw, dtype.value)
                self.value = flat.reshape(shape, order="F" if fortran else "C").copy(order="K")
            case _:
                raise pickle.UnpicklingError("numpy.ndarray holds something else than plain numbers")


class SavedHistory:
    """Stand-in for MMEngine's HistoryBuffer; the pickle also names its methods, and those are always MMEngine's own."""

    def __init__(self) -> None:
        self.value = HistoryBuffer()

    def __setstate__(self, state: object) -> None:
        """Takes the buffer's attributes."""
        match state:
            case {
                "_log_history": SavedArray() as log,
                "_count_history": SavedArray() as counts,
                "max_length": int() as max_length,
            } if log.value.ndim == 1 and log.value.shape == counts.value.shape:
                self.value = HistoryBuffer(log.value, counts.value, max_length)
            case _:
                raise pickle.UnpicklingError("HistoryBuffer does not hold one array of values and one of counts")


def _reconstruct(kind: object, shape: object, code: object) -> SavedArray:
    if kind is not SavedArray or shape != (0,) or code not in (b"b", "b"):
        raise pickle.UnpicklingError("numpy's _reconstruct is read for empty arrays only")
    return SavedArray()


def _scalar(dtype: object, raw: object) -> np.generic:
    if not isinstance(dtype, SavedDtype) or not isinstance(raw, bytes) or len(raw) != dtype.value.itemsize:
        raise pickle.UnpicklingError("numpy's scalar is read for plain numbers only")
    return np.frombuffer(raw, dtype.value)[0]


def _bytes(*content: object) -> bytes:
    """Returns empty bytes: pickle calls `bytes` only for the content of an empty array."""
    if content:
        raise pickle.UnpicklingError("builtins.bytes is read for empty bytes only")
    return b""


def _statistic(owner: object, name: object) -> str:
    """Returns the name itself, because a HistoryBuffer has these methods anyway."""
    if owner is not SavedHistory or not isinstance(name, str) or name not in STATISTICS:
        raise pickle.UnpicklingError(f"builtins.getattr fetches {', '.join(STATISTICS)} of a HistoryBuffer alone")
    return name


# The stand-ins by the names in the pickle: numpy 1 writes numpy.core, numpy 2 writes numpy._core.
ALLOWED: dict[str, Any] = {
    "builtins.getattr": _statistic,
    "builtins.bytes": _bytes,
    "mmengine.logging.history_buffer.HistoryBuffer": SavedHistory,
    "numpy.ndarray": SavedArray,
    "numpy.dtype": SavedDtype,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}


@contextlib.contextmanager
def only_saved_objects() -> Generator[None]:
    """Makes `torch.load(weights_only=True)` read ALLOWED beside weights, and nothing that other packages allowed."""
    others = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([(stand_in, name) for name, stand_in in ALLOWED.items()])
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(others)


def without_stand_ins(content: Any) -> Any:  # noqa: ANN401
    """Replaces stand-ins by arrays and histories; dicts and lists are changed in place.

    Raises:
        RecursionError: the content is nested too deeply.
    """
    return _plain(content, {})


def _plain(node: Any, known: dict[int, tuple[Any, Any]]) -> Any:  # noqa: ANN401
    if id(node) in known:
        return known[id(node)][1]
    result = node
    if isinstance(node, SavedArray | SavedDtype | SavedHistory):
        result = node.value
    elif isinstance(node, dict | list):
        known[id(node)] = node, node
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            node[key] = _plain(value, known)
    elif type(node) is tuple:
        result = tuple(_plain(value, known) for value in node)
    # Each object is stored with its result and stays alive, because another object could get the id of a freed one.
    known[id(node)] = node, result
    return result
