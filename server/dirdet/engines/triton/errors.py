"""Converts errors of Triton to errors of engines."""

from typing import Any

from dirdet.engines.triton.client import KEY_OPTION
from dirdet.engines.triton.repository.python_models.memory import tells_lack_of_memory
from dirdet.errors import DeadlineError, EngineError, EngineMemoryError

# Triton's message if a request exceeded its timeout in the queue; the status is the same as for a server that is down.
QUEUE_TIMEOUT = "Request timeout expired"
# Triton's message if the required key is missing or wrong; the status is the same as for a server that is down.
RESTRICTED = "is restricted, expecting header"


def engine_error(exc: Any) -> EngineError:  # noqa: ANN401 - tritonclient has no types
    """The error for a tritonclient exception, without its text, which can contain paths and addresses."""
    status = str(exc.status()).removeprefix("StatusCode.")
    message: str = exc.message() or ""
    if status == "DEADLINE_EXCEEDED" or QUEUE_TIMEOUT in message:
        return DeadlineError("Triton did not answer in time")
    if tells_lack_of_memory(message):
        return EngineMemoryError("Triton has no memory left for the picture")
    if refused_key(exc):
        return EngineError("Triton refuses the key of this gateway")
    if status == "UNAVAILABLE":
        return EngineError("Triton does not answer")
    if status == "NOT_FOUND":
        return EngineError("Triton does not serve this detector")
    return EngineError(f"Triton could not detect ({status})")


def in_words(exc: Any) -> str:  # noqa: ANN401
    """Triton's message for the log; for a lost connection a fixed text."""
    status = str(exc.status()).removeprefix("StatusCode.")
    if refused_key(exc):
        return f"it requires a key, and {KEY_OPTION} does not have it"
    if status == "UNAVAILABLE" and QUEUE_TIMEOUT not in (exc.message() or ""):
        return "it does not answer"
    return exc.message() or status


def lost_memory(exc: Any) -> bool:  # noqa: ANN401
    """Whether the server does not know a region of shared memory: it was restarted between two requests."""
    return "shared memory region" in (exc.message() or "")


def refused_key(exc: Any) -> bool:  # noqa: ANN401
    """Whether the server requires another key, or a key at all."""
    return RESTRICTED in (exc.message() or "")


def lost_connection(exc: Any) -> bool:  # noqa: ANN401
    """Whether the connection is lost, so that the next answer may come from another server."""
    return not refused_key(exc) and str(exc.status()) in ("StatusCode.UNAVAILABLE", "StatusCode.NOT_FOUND")
