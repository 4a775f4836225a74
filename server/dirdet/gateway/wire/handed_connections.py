"""Accepted connections that one process hands to others, over sockets between them."""

import asyncio
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

# What is sent along with a connection: a message must not be empty.
_MESSAGE = b"c"


class Turns:
    """The order in which processes get the next connection: in turns, so that all have equally many.

    If all accepted from one listening socket, the process that wakes first would take all connections that come
    together.
    """

    def __init__(self) -> None:
        """Knows no process yet."""
        self._order: deque[socket.socket] = deque()

    def channel(self) -> socket.socket:
        """The other end of a channel to one more process."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._order.append(ours)
        return theirs

    def hand_over(self, connection: socket.socket) -> bool:
        """Passes a connection to the next process that takes it, and closes it here; False if none takes it."""
        with connection:
            for _ in range(len(self._order)):
                channel = self._order[0]
                self._order.rotate(-1)
                try:
                    socket.send_fds(channel, [_MESSAGE], [connection.fileno()])
                except ConnectionError:  # the process has ended
                    self._order.remove(channel)
                    channel.close()
                except OSError:  # it does not read, or too many connections are on their way
                    continue
                else:
                    return True
        return False

    def close(self) -> None:
        """Closes the channels of this process."""
        for channel in self._order:
            channel.close()
        self._order.clear()


class HandedConnections(asyncio.AbstractServer):
    """Serves the connections that come over a channel, where another server accepts them itself."""

    def __init__(
        self, channel: socket.socket, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None
    ) -> None:
        """Begins to read from the channel, in the running event loop.

        Args:
            channel: from `Turns.channel`.
            protocol: makes the protocol of a connection.
            tls: of the connections; None without TLS.
        """
        self._loop = asyncio.get_running_loop()
        self._channel: socket.socket | None = channel
        self._protocol = protocol
        self._tls = tls
        self._begun: set[asyncio.Task[None]] = set()
        channel.setblocking(False)
        self._loop.add_reader(channel, self._take)

    def close(self) -> None:
        """Takes no more connections; those that are still in the channel are closed with it."""
        if self._channel is not None:
            self._loop.remove_reader(self._channel)
            self._channel.close()
            self._channel = None

    async def wait_closed(self) -> None:
        """Returns at once: what was taken is the event loop's."""

    def _take(self) -> None:
        assert self._channel is not None
        try:
            message, descriptors, _, _ = socket.recv_fds(self._channel, len(_MESSAGE), 1)
        except BlockingIOError:
            return
        except OSError as exc:
            log.warning("a connection could not be taken: %s", exc)
            return
        if not message:  # the parent has ended
            self.close()
        for connection in _sockets(descriptors):
            task = self._loop.create_task(self._begin(connection))
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection, ssl=self._tls)
        except (OSError, ssl.SSLError):  # the client has gone, or speaks no TLS
            connection.close()


def _sockets(descriptors: Iterable[int]) -> Iterable[socket.socket]:
    for descriptor in descriptors:
        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        yield connection
