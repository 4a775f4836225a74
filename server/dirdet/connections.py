"""Connections as the internet has them: without a request, with half of one, or whose answers nobody reads."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from dirdet.connection_room import ConnectionRoom
from dirdet.framing import StrictParser
from dirdet.handshakes import GreetingListener
from dirdet.pieces import InPieces

# Seconds in which the head of a request is to be here, from connecting or from its first byte on.
HEAD_S = 10.0
# Of a request's head; of a chunk's or trailer's line, too.
MOST_HEAD_BYTES = 64 * 1024
# Seconds in which a client that is being answered has to read something.
READING_S = 30.0


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
        self.app = InPieces(self.app, left=self._answer_left)  # pyright: ignore[reportArgumentType]
        self._left_bytes = 0
        self.conn = StrictParser(h11.SERVER, MOST_HEAD_BYTES)
        self._head_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None
        self._room = ConnectionRoom() if room is None else room
        self._greeting = greeting

    @property
    def idle(self) -> bool:
        """Whether no request of it is being answered."""
        return self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    @property
    def unread_bytes(self) -> int:
        """Of its answer, what the system does not take because the client does not read."""
        return self._left_bytes + self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()
        if self._greeting is not None:
            self._greeting.agreed(transport.get_extra_info("socket").fileno())
        self._room.enter(self)
        # So that `pause_writing` tells of whatever the system does not take at once.
        transport.set_write_buffer_limits(high=1, low=0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._head_is_here()
        self._reader_is_here()
        self._room.exit(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A request came, or a part of its head."""
        self._room.heard(self)
        super().data_received(data)
        if self.idle:
            self._wait_for_head()
        else:
            self._head_is_here()

    def pause_writing(self) -> None:
        """The client reads slower than it is answered."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """What was written is on its way."""
        self._reader_is_here()
        super().resume_writing()

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

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: who asks for another protocol is answered in this one (RFC 9110, section 7.8)."""

    def _wait_for_head(self) -> None:
        if self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_s, self.transport.close)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _answer_left(self, count: int) -> None:
        begun, self._left_bytes = self._left_bytes == 0, count
        if count == 0:
            self._room.read(self)
        elif begun:
            self._room.unread(self)

    def _wait_for_reader(self) -> None:
        self._reading_timer = self.loop.call_later(self.reading_s, self._look_at_reader, self.unread_bytes)

    def _look_at_reader(self, unread_bytes_before: int) -> None:
        if self.unread_bytes < unread_bytes_before:
            self._wait_for_reader()
        else:
            self.give_way()

    def _reader_is_here(self) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None
