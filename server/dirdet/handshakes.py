"""Connections that agree on TLS: asyncio tells nobody of them before they have."""

import socket
import weakref
from contextlib import suppress
from typing import Any

from dirdet.connection_room import ConnectionRoom


class Handshake:
    """One of them; see `dirdet.connection_room.Guest`."""

    idle = True
    unread_bytes = 0

    def __init__(self, connection: socket.socket) -> None:
        """Does not keep it alive: asyncio drops what fails."""
        self._connection = weakref.ref(connection)

    def give_way(self) -> None:
        """Ends the connection; asyncio finds out, and closes it."""
        connection = self._connection()
        if connection is not None:
            with suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)


class GreetingListener(socket.socket):
    """A listening socket whose connections take room from the moment on that the system gives them."""

    def __init__(self, listener: socket.socket, room: ConnectionRoom) -> None:
        """Takes over a listening socket, which is closed to others."""
        super().__init__(fileno=listener.detach())
        self.setblocking(False)
        self._room = room
        self._under_way: dict[int, Handshake] = {}

    def accept(self) -> tuple[socket.socket, Any]:
        """As the socket's."""
        connection, address = super().accept()
        number, handshake = connection.fileno(), Handshake(connection)
        self._end(number)  # of one whose number the system gives again
        self._under_way[number] = handshake
        weakref.finalize(connection, self._end, number, handshake).atexit = False
        self._room.enter(handshake)
        return connection, address

    def agreed(self, number: int) -> None:
        """The connection with this file number speaks HTTP now."""
        self._end(number)

    def _end(self, number: int, only: Handshake | None = None) -> None:
        handshake = self._under_way.get(number)
        if handshake is not None and only in (None, handshake):
            del self._under_way[number]
            self._room.exit(handshake)
