"""Connections as the internet has them: without a request, with half of one, or with none that can be read."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from dirdet.connection_room import ConnectionRoom
from dirdet.framing import StrictParser

# Seconds in which the head of a request is to be here, from connecting or from its first byte on.
HEAD_S = 10.0
# Of a request's head; of a chunk's or trailer's line, too.
MOST_HEAD_BYTES = 64 * 1024


class TimedConnection(H11Protocol):
    """uvicorn's protocol, which closes a connection whose request does not come."""

    head_s = HEAD_S

    def __init__(self, *args: Any, room: ConnectionRoom | None = None, **options: Any) -> None:  # noqa: ANN401
        """As uvicorn calls it.

        Args:
            args: uvicorn's own.
            room: for all connections of the server; without bound unless given.
            options: uvicorn's own.
        """
        super().__init__(*args, **options)
        self.conn = StrictParser(h11.SERVER, MOST_HEAD_BYTES)
        self._head_timer: asyncio.TimerHandle | None = None
        self._room = room

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()
        if self._room is not None:
            self._room.make(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A request came, or a part of its head."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison]
            self._wait_for_head()
        else:
            self._head_is_here()

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
        """Closes a connection that waits for a request."""
        self._head_is_here()
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: who asks for another protocol is answered in this one (RFC 9110, section 7.8)."""

    def _wait_for_head(self) -> None:
        if self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_s, self.transport.close)
            if self._room is not None:
                self._room.wait(self)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
            if self._room is not None:
                self._room.leave(self)
