"""What Triton's refusals mean to somebody who waits for detections."""

import logging
from typing import Any

from dirdet.errors import DeadlineError, EngineError

log = logging.getLogger(__name__)

# How Triton says that a request waited in a queue beyond its timeout; the status is that of a server that is down.
QUEUE_TIMEOUT = "Request timeout expired"


def engine_error(exc: Any, *, address: str) -> EngineError:  # noqa: ANN401 - tritonclient has no types
    """The error for a tritonclient exception; its own text goes to the log, since it can show paths and addresses.

    Args:
        exc: an InferenceServerException.
        address: of the server, for the log.
    """
    status = str(exc.status()).removeprefix("StatusCode.")
    message: str = exc.message() or ""
    log.warning("Triton at %s: %s: %s", address, status, message)
    if status == "DEADLINE_EXCEEDED" or QUEUE_TIMEOUT in message:
        return DeadlineError("Triton did not answer in time")
    if status == "UNAVAILABLE":
        return EngineError("Triton does not answer")
    if status == "NOT_FOUND":
        return EngineError("Triton does not serve this detector")
    return EngineError(f"Triton could not detect ({status})")


def lost_connection(exc: Any) -> bool:  # noqa: ANN401
    """Whether the server may be another one when it next answers."""
    return str(exc.status()) in ("StatusCode.UNAVAILABLE", "StatusCode.NOT_FOUND")
