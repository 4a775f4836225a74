"""What lack of memory looks like, and the batch in halves that may still fit.

One file for both sides: dirdet's engines import it, and it lies beside the models in Triton's Python backend. It uses
the standard library alone.
"""

import re
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Of ONNX Runtime (its arena: full, or at its limit), CUDA, cuBLAS, cuDNN, TensorRT, and PyTorch on a GPU or the CPU.
_TEXTS = re.compile(
    r"Failed to allocate memory for requested buffer"
    r"|Available memory of \d+ is smaller than requested"
    r"|out of memory"
    r"|OutOfMemory"
    r"|CUBLAS_STATUS_ALLOC_FAILED"
    r"|CUDNN_STATUS\w*_ALLOC(?:ATION)?_FAILED"
    r"|can't allocate memory"
    r"|std::bad_alloc"
)


def tells_lack_of_memory(text: str) -> bool:
    """Whether an error's text says that memory was missing; neither library has an exception type for every case."""
    return _TEXTS.search(text) is not None


def halves(rows: int) -> tuple[slice, slice]:
    """The rows of a batch in two parts, in order; of at least two rows neither is empty."""
    middle = (rows + 1) // 2
    return slice(0, middle), slice(middle, rows)


def whole_or_halves(
    run: Callable[[slice], T],
    rows: int,
    *,
    lacks: Callable[[Exception], bool],
    free: Callable[[], object] = lambda: None,
) -> list[T]:
    """Runs all rows at once or, where memory was missing, each half once.

    Args:
        run: what to do with some of the rows.
        rows: how many there are.
        lacks: whether an exception of `run` says that memory was missing.
        free: gives back what can be spared, before the halves.

    Returns:
        What `run` gave for all rows, or for each half, in order.

    Raises:
        Exception: as `run`, also of a half, and of a single row that cannot be halved.
    """
    try:
        return [run(slice(0, rows))]
    except Exception as exc:
        if rows < 2 or not lacks(exc):
            raise
    # After the handler: the exception holds the frames of `run`, and they the memory that is missing.
    free()
    return [run(part) for part in halves(rows)]
