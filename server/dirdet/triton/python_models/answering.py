"""Responses of a batch: nothing for who has gone, an error for all where memory is missing.

Runs inside Triton's Python backend, beside the model that uses it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from . import memory


def responses(pb_utils: Any, requests: Sequence[Any], run: Callable[[Sequence[Any]], list[list[Any]]]) -> list[Any]:  # noqa: ANN401
    """One response for every request, in order.

    Args:
        pb_utils: Triton's module.
        requests: some of them may be cancelled.
        run: output tensors of every request that is not.
    """
    cancelled = [request.is_cancelled() for request in requests]
    live = [request for request, gone in zip(requests, cancelled, strict=True) if not gone]
    answers = iter(_answers(pb_utils, live, run) if live else [])
    error = pb_utils.TritonError("cancelled", pb_utils.TritonError.CANCELLED)
    return [pb_utils.InferenceResponse(error=error) if gone else next(answers) for gone in cancelled]


def _answers(pb_utils: Any, requests: Sequence[Any], run: Callable[[Sequence[Any]], list[list[Any]]]) -> list[Any]:  # noqa: ANN401
    """A response for every request; where memory is missing for half of them too, that error for each."""
    try:
        return [pb_utils.InferenceResponse(output_tensors=tensors) for tensors in run(requests)]
    except Exception as exc:  # what lack of memory raises differs from library to library
        if not memory.tells_lack_of_memory(str(exc)):
            raise
        error = pb_utils.TritonError(f"out of memory: {str(exc).strip().splitlines()[0]}")
        return [pb_utils.InferenceResponse(error=error) for _ in requests]
