"""Connections that agree on TLS: asyncio tells nobody of them before they have."""

import math
import socket
import weakref
from contextlib import suppress
from typing import Any

from dirdet.connection_room import ConnectionRoom

# Handshakes from which on it is looked which of them have failed meanwhile.
MANY = 64


class Handshake:
    """One of them; see `dirdet.connection_room.Guest`."""

    idle = True
    unread_bytes = 0
    reading_rate = math.inf

    def __init__(self, connection: socket.socket) -> None:
        """Does not keep the connection alive."""
        self._connection = weakref.ref(connection)

    @property
    def failed(self) -> bool:
        """Whether asyncio has closed the connection."""
        connection = self._connection()
        return connection is None or connection.fileno() < 0

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
        self.agreed(connection.fileno())  # one that failed had the same number
        if len(self._under_way) > MANY:
            for number in [number for number, each in self._under_way.items() if each.failed]:
                self.agreed(number)
        handshake = Handshake(connection)
        self._under_way[connection.fileno()] = handshake
        self._room.enter(handshake)
        return connection, address

    def agreed(self, number: int) -> None:
        """The handshake of the connection with this file number is over."""
        handshake = self._under_way.pop(number, None)
        if handshake is not None:
            self._room.exit(handshake)
