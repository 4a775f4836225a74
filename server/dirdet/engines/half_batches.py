"""Retries a batch once in halves if the device has no memory for the whole."""

import logging
from collections.abc import Awaitable, Callable

from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.engines.triton.repository.python_models.memory import halves
from dirdet.errors import EngineMemoryError

log = logging.getLogger(__name__)


def in_halves(detect: Callable[[CanvasBatch], Candidates], batch: CanvasBatch, error: EngineMemoryError) -> Candidates:
    """Detects on the two halves of a batch for which `detect` had no memory.

    Args:
        detect: detects on a batch.
        batch: of any size.
        error: raised by `detect` for the whole batch.

    Raises:
        EngineMemoryError: the batch has one canvas, or there is no memory for a half.
        EngineError: as `detect`.
    """
    return Candidates.joined([detect(batch.part(rows)) for rows in _halves(batch, error)])


async def in_halves_within(
    detect: Callable[[CanvasBatch], Awaitable[Candidates]], batch: CanvasBatch, error: EngineMemoryError
) -> Candidates:
    """As `in_halves` for an awaitable engine, one half after the other."""
    return Candidates.joined([await detect(batch.part(rows)) for rows in _halves(batch, error)])


def _halves(batch: CanvasBatch, error: EngineMemoryError) -> tuple[slice, slice]:
    size, height, width = batch.canvas.shape[:3]
    if size < 2:
        raise error
    log.warning("no memory for %d canvases of %d x %d at once; trying them in halves", size, width, height)
    return halves(size)
