"""Connections as the internet has them: without a request, with half of one, or whose answers nobody reads."""

import asyncio
import math
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from dirdet.connection_room import ConnectionRoom
from dirdet.framing import StrictParser
from dirdet.handshakes import GreetingListener

# Seconds in which the head of a request is to be here, from connecting or from its first byte on.
HEAD_S = 10.0
# Of a request's head; of a chunk's or trailer's line, too.
MOST_HEAD_BYTES = 64 * 1024
# Seconds in which a client has to have read something of an answer that waits for it.
READING_S = 30.0
# Seconds between two looks whether it has.
LOOK_S = 1.0


class TimedConnection(H11Protocol):
    """uvicorn's protocol, which closes a connection whose request does not come or whose answer is not read.

    It is a `dirdet.connection_room.Guest`.
    """

    head_s = HEAD_S
    reading_s = READING_S

    def __init__(
        self,
        *args: Any,  # noqa: ANN401
        room: ConnectionRoom | None = None,
        greeting: GreetingListener | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """As uvicorn calls it.

        Args:
            args: uvicorn's own.
            room: for all connections of the server; for this one alone unless given.
            greeting: where TLS is agreed on before.
            options: uvicorn's own.
        """
        super().__init__(*args, **options)
        self.conn = StrictParser(h11.SERVER, MOST_HEAD_BYTES)
        self._room = ConnectionRoom() if room is None else room
        self._greeting = greeting
        self._lost = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._reader: _Reader | None = None

    @property
    def idle(self) -> bool:
        """Whether no request of it is under way and no answer unread."""
        return self._reader is None and not self._answering

    @property
    def unread_bytes(self) -> int:
        """Of its answers, what this process still holds because the client does not read."""
        return 0 if self._lost else unsent_bytes(self.transport)

    @property
    def reading_rate(self) -> float:
        """Bytes a second of them that the client has read; endless of who has only begun."""
        return math.inf if self._reader is None else self._reader.rate(self.unread_bytes, self.loop.time())

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()
        if self._greeting is not None:
            self._greeting.agreed(transport.get_extra_info("socket").fileno())
        self._room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._lost = True
        self._head_is_here()
        self._reader_is_done()
        self._room.exit(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A request came, or a part of its head."""
        self._room.heard(self)
        super().data_received(data)
        if self._answering:
            self._head_is_here()
        else:
            self._wait_for_head()

    def on_response_complete(self) -> None:
        """All of an answer is written, which does not say that it is sent."""
        super().on_response_complete()
        if self._reader is None and self.unread_bytes:
            self._reader = _Reader(self.unread_bytes, self.loop.time(), self.loop.call_later(LOOK_S, self._look))
            self._room.answer_waits(self)

    def timeout_keep_alive_handler(self) -> None:
        """No further request came; while an answer is being read none is waited for."""
        if self._reader is None:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP; to a request that is answered already there is nothing to add.

        uvicorn would try, and would let the app answer behind this: either fails, and fills the log.
        """
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()
        if self.cycle is not None:  # pyright: ignore[reportUnnecessaryComparison]
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def give_way(self) -> None:
        """Closes the connection without waiting for the client, in TLS either."""
        self.transport.abort()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: who asks for another protocol is answered in this one (RFC 9110, section 7.8)."""

    def _wait_for_head(self) -> None:
        if self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_s, self._head_is_late)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _look(self) -> None:
        """Whether the client reads."""
        if self._reader is None:
            return
        left, now_s = self.unread_bytes, self.loop.time()
        if left == 0:
            self._reader_is_done()
            if self.idle and not self.transport.is_closing():
                self._unset_keepalive_if_required()
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
        elif self._reader.idle_s(left, now_s) >= self.reading_s:
            self.give_way()
        else:
            self._reader.next_look = self.loop.call_later(LOOK_S, self._look)

    def _reader_is_done(self) -> None:
        if self._reader is not None:
            self._reader.next_look.cancel()
            self._reader = None
            self._room.answer_read(self)


class _Reader:
    """A client on its way through an answer."""

    def __init__(self, left_bytes: int, now_s: float, next_look: asyncio.TimerHandle) -> None:
        """Has all of it before it."""
        self._first_bytes = self._left_bytes = left_bytes
        self._begun_s = self._progress_s = now_s
        self.next_look = next_look

    def idle_s(self, left_bytes: int, now_s: float) -> float:
        """Seconds since less was left than ever before."""
        if left_bytes < self._left_bytes:
            self._left_bytes, self._progress_s = left_bytes, now_s
        return now_s - self._progress_s

    def rate(self, left_bytes: int, now_s: float) -> float:
        """Bytes a second so far; endless in the first two looks' time."""
        taken_s = now_s - self._begun_s
        return math.inf if taken_s < 2 * LOOK_S else (self._first_bytes - left_bytes) / taken_s


def unsent_bytes(transport: asyncio.WriteTransport) -> int:
    """What asyncio holds of what was written; of TLS most in the transport below, which has no public name."""
    if not hasattr(transport, "_ssl_protocol"):
        return transport.get_write_buffer_size()
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return 0 if below is None else below.get_write_buffer_size() + transport.get_write_buffer_size()
