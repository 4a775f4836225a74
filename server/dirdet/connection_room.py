"""How many connections there may be at once, how much they may leave unread, and which of them makes room."""

import resource
from typing import Protocol

# Most of them wait between two requests; each may hold 64 KiB of a request's head.
MOST_CONNECTIONS = 2048
# Connections that asyncio takes from the system before the first of them can be refused.
BURST = 256
# Files that are no connections: the detector, keys, a Triton, what the libraries open.
OTHER_FILES = 128
# Of answers that are written faster than they are read. A picture drawn on may have 30 MiB.
MOST_UNREAD_BYTES = 256 * 2**20


class Guest(Protocol):
    """A connection."""

    @property
    def idle(self) -> bool:
        """Whether no request of it is being answered."""
        ...

    @property
    def unread_bytes(self) -> int:
        """Of its answer, what the system does not take because the client does not read."""
        ...

    def give_way(self) -> None:
        """Closes it at once."""
        ...


class ConnectionRoom:
    """All connections of a server, in the order in which something last came on them.

    A server that can open no more files takes no connection at all, and asyncio then fills the log; one whose answers
    are not read fills its memory with them. So before that, whoever has been idle longest gives way to who comes, and
    of answers those go that have been unread longest: many who connect and ask nothing, or ask and read nothing, keep
    nobody else out.
    """

    def __init__(self, most: int = MOST_CONNECTIONS, *, most_unread_bytes: int = MOST_UNREAD_BYTES) -> None:
        """For so many, those under way included."""
        self._most = most
        self._most_unread_bytes = most_unread_bytes
        self._guests: dict[Guest, None] = {}
        self._unread: dict[Guest, None] = {}

    def enter(self, guest: Guest) -> None:
        """One more; if they are too many the one that has been idle longest gives way, the newest if no other is."""
        self._guests[guest] = None
        if len(self._guests) > self._most:
            longest = next((each for each in self._guests if each.idle), guest)
            self.exit(longest)
            longest.give_way()

    def heard(self, guest: Guest) -> None:
        """Something came of it."""
        if guest in self._guests:
            del self._guests[guest]
            self._guests[guest] = None

    def exit(self, guest: Guest) -> None:
        """It is closed."""
        self._guests.pop(guest, None)
        self._unread.pop(guest, None)

    def unread(self, guest: Guest) -> None:
        """A large answer of it begins; where there is too much of them to be read, the first ones are given up."""
        self._unread[guest] = None
        while len(self._unread) > 1 and sum(each.unread_bytes for each in self._unread) > self._most_unread_bytes:
            first = next(iter(self._unread))
            self.exit(first)
            first.give_way()

    def read(self, guest: Guest) -> None:
        """The answer is on its way."""
        self._unread.pop(guest, None)


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
