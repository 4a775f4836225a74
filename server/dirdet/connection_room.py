"""How many connections there may be at once, and which of them makes room."""

import resource
from typing import Protocol

# Most of them wait between two requests; each may hold 64 KiB of a request's head.
MOST_CONNECTIONS = 2048
# Connections that asyncio takes from the system before the first of them can be refused.
BURST = 256
# Files that are no connections: the detector, keys, a Triton, what the libraries open.
OTHER_FILES = 128


class Waiting(Protocol):
    """A connection on which a request is to come."""

    def give_way(self) -> None:
        """Closes it."""
        ...


class ConnectionRoom:
    """The connections that wait for a request, in the order in which they began to.

    A server that can open no more files takes no connection at all, and asyncio then fills the log. So before that,
    whoever has waited longest gives way to who comes: many who connect and ask nothing keep nobody else out.
    """

    def __init__(self, most: int) -> None:
        """For so many, those under way included."""
        self._most = most
        self._waiting: dict[Waiting, None] = {}

    def wait(self, connection: Waiting) -> None:
        """Its next request is to come; a connection that waits already keeps its place."""
        self._waiting.setdefault(connection)

    def leave(self, connection: Waiting) -> None:
        """Its request is here, or it is closed."""
        self._waiting.pop(connection, None)

    def make(self, connections: int) -> None:
        """With so many open, one that waits gives way if they are too many; the newest itself if no other waits."""
        if connections > self._most and self._waiting:
            next(iter(self._waiting)).give_way()


def connections_for_files() -> int:
    """How many connections this process can have, once it may open as many files as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + BURST + OTHER_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    files = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft)
    return max(files - BURST - OTHER_FILES, files // 4)
