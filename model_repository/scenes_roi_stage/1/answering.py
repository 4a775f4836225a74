"""Responses of a batch: cancelled requests get none; if memory is missing, all get an error.

Runs inside Triton's Python backend, beside the model that uses it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from . import memory


def responses(pb_utils: Any, requests: Sequence[Any], run: Callable[[Sequence[Any]], list[list[Any]]]) -> list[Any]:  # noqa: ANN401
    """One response per request, in order.

    Args:
        pb_utils: Triton's module.
        requests: some may be cancelled.
        run: gives the output tensors of the requests that are not cancelled.
    """
    cancelled = [request.is_cancelled() for request in requests]
    live = [request for request, gone in zip(requests, cancelled, strict=True) if not gone]
    answers = iter(_answers(pb_utils, live, run) if live else [])
    error = pb_utils.TritonError("cancelled", pb_utils.TritonError.CANCELLED)
    return [pb_utils.InferenceResponse(error=error) if gone else next(answers) for gone in cancelled]


def _answers(pb_utils: Any, requests: Sequence[Any], run: Callable[[Sequence[Any]], list[list[Any]]]) -> list[Any]:  # noqa: ANN401
    """One response per request; if memory is missing for half of them too, an error for each."""
    try:
        return [pb_utils.InferenceResponse(output_tensors=tensors) for tensors in run(requests)]
    except Exception as exc:  # libraries raise different types for lack of memory
        if not memory.tells_lack_of_memory(str(exc)):
            raise
        error = pb_utils.TritonError(f"out of memory: {str(exc).strip().splitlines()[0]}")
        return [pb_utils.InferenceResponse(error=error) for _ in requests]
