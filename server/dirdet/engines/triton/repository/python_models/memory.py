"""Recognises errors that mean lack of memory, and retries a batch in halves.

dirdet's engines import this file, and it is copied beside the models of Triton's Python backend. It imports the
standard library only.
"""

import re
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Messages of ONNX Runtime (arena full or at its limit), CUDA, cuBLAS, cuDNN, TensorRT, and PyTorch on a GPU or the CPU.
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
    """Whether an error's text means lack of memory; not every such case has an exception type of its own."""
    return _TEXTS.search(text) is not None


def halves(rows: int) -> tuple[slice, slice]:
    """The rows of a batch in two parts, in order; with at least two rows neither part is empty."""
    middle = (rows + 1) // 2
    return slice(0, middle), slice(middle, rows)


def whole_or_halves(
    run: Callable[[slice], T],
    rows: int,
    *,
    lacks: Callable[[Exception], bool],
    free: Callable[[], object] = lambda: None,
) -> list[T]:
    """Runs all rows at once or, if memory is missing, each half once.

    Args:
        run: processes some of the rows.
        rows: number of rows.
        lacks: whether an exception of `run` means lack of memory.
        free: called before the halves; releases cached memory.

    Returns:
        The results of `run`: one for all rows, or one per half, in order.

    Raises:
        Exception: as `run`, also for a half or a single row.
    """
    try:
        return [run(slice(0, rows))]
    except Exception as exc:
        if rows < 2 or not lacks(exc):
            raise
    # After the handler: the exception references the frames of `run`, which hold the missing memory.
    free()
    return [run(part) for part in halves(rows)]
