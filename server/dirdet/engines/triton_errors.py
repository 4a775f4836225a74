"""What Triton's refusals mean to somebody who waits for detections."""

from typing import Any

from dirdet.errors import DeadlineError, EngineError, EngineMemoryError
from dirdet.triton.python_models.memory import tells_lack_of_memory

# How Triton says that a request waited in a queue beyond its timeout; the status is that of a server that is down.
QUEUE_TIMEOUT = "Request timeout expired"


def engine_error(exc: Any) -> EngineError:  # noqa: ANN401 - tritonclient has no types
    """The error for a tritonclient exception, without that one's text: it can show paths and addresses."""
    status = str(exc.status()).removeprefix("StatusCode.")
    message: str = exc.message() or ""
    if status == "DEADLINE_EXCEEDED" or QUEUE_TIMEOUT in message:
        return DeadlineError("Triton did not answer in time")
    if tells_lack_of_memory(message):
        return EngineMemoryError("Triton has no memory left for the picture")
    if status == "UNAVAILABLE":
        return EngineError("Triton does not answer")
    if status == "NOT_FOUND":
        return EngineError("Triton does not serve this detector")
    return EngineError(f"Triton could not detect ({status})")


def in_words(exc: Any) -> str:  # noqa: ANN401
    """For the log: Triton's own words, but of a connection that there is not, where only gRPC has any."""
    status = str(exc.status()).removeprefix("StatusCode.")
    if status == "UNAVAILABLE" and QUEUE_TIMEOUT not in (exc.message() or ""):
        return "it does not answer"
    return exc.message() or status


def lost_memory(exc: Any) -> bool:  # noqa: ANN401
    """Whether the server does not know a region of shared memory: it was started anew while nobody asked."""
    return "shared memory region" in (exc.message() or "")


def lost_connection(exc: Any) -> bool:  # noqa: ANN401
    """Whether the server may be another one when it next answers."""
    return str(exc.status()) in ("StatusCode.UNAVAILABLE", "StatusCode.NOT_FOUND")
