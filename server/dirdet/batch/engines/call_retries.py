"""Retries calls to a server that is down or full, reports this, and gives up after a limit."""

import asyncio
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import TypeVar

from dirdet.batch.progress import duration
from dirdet.client.errors import ClientError, ProblemError, TimedOutError
from dirdet.errors import DirdetError, EngineError, WrongNetworkError

T = TypeVar("T")

PATIENCE_S = 300.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 15.0


class ServerGoneError(DirdetError):
    """The server did not answer within the limit of the retries."""


class Patience:
    """Retries the calls of one job; if many calls fail at once, one message is reported."""

    def __init__(self, limit_s: float, notes: SimpleQueue[str]) -> None:
        """Sets the limit for each call.

        Args:
            limit_s: longest time of retries, from a call's first failure.
            notes: receives the messages.
        """
        self._limit_s = limit_s
        self._notes = notes
        self._troubled: set[object] = set()

    async def keep(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of `attempt`, after as many attempts as needed; runs in one event loop.

        Raises:
            ServerGoneError: no attempt succeeded within the limit.
            DirdetError: an error that a retry cannot mend.
        """
        clock = asyncio.get_running_loop().time
        began: float | None = None
        wait_s, call = FIRST_WAIT_S, object()
        try:
            while True:
                try:
                    answer = await attempt()
                except (EngineError, ClientError) as exc:
                    if not passes(exc):
                        raise
                    now = clock()
                    began = now if began is None else began
                    asked_s = exc.retry_after_s if isinstance(exc, ClientError) else None
                    wait_s = max(wait_s, asked_s or 0.0)
                    if now + wait_s - began > self._limit_s:
                        raise ServerGoneError(f"{exc}; retried for {duration(now - began)}") from exc
                    if not self._troubled:
                        self._notes.put(f"{exc}; retrying for up to {duration(self._limit_s)}")
                    self._troubled.add(call)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                    continue
                if self._troubled:
                    self._troubled.clear()
                    self._notes.put("the server answers again")
                return answer
        finally:
            self._troubled.discard(call)


def passes(error: DirdetError) -> bool:
    """Whether the same call may succeed later, because the cause is the server's state and not the call."""
    if isinstance(error, EngineError):
        return not isinstance(error, WrongNetworkError)
    if isinstance(error, ProblemError):
        return error.may_retry or error.status >= 500
    return isinstance(error, TimedOutError) or (isinstance(error, ClientError) and error.may_retry)
