"""HTTP connections of uvicorn, with a time limit for the head of a request."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds within which the head of a request arrives, counted from connecting or from its first byte.
HEAD_S = 10.0
# Of a request's head, and of a line of a chunk or trailer.
MOST_HEAD_BYTES = 64 * 1024


class TimedConnection(H11Protocol):
    """uvicorn's protocol; closes a connection whose request head does not arrive in time.

    Only names without an underscore of uvicorn, h11 and asyncio are used.
    """

    head_s = HEAD_S

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        """Takes the arguments that uvicorn gives every protocol."""
        super().__init__(*args, **options)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Starts the timer for the first request's head."""
        super().connection_made(transport)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        """Stops the timer while a request is being answered, and starts it otherwise.

        The rest of a body whose request is already answered has no more time either.
        """
        super().data_received(data)
        if self._is_answering():
            self._stop_head_timer()
        else:
            self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers bytes that are not HTTP, or only closes the connection if a response has begun.

        uvicorn would respond twice, which h11 refuses, and let the app respond after it: both fill the log.
        """
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()
        if self.cycle is not None:  # pyright: ignore[reportUnnecessaryComparison]
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    def _start_head_timer(self) -> None:
        if self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_s, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
