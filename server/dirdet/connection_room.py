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
        """Whether no request of it is under way and no answer unread."""
        ...

    @property
    def unread_bytes(self) -> int:
        """Of its answers, what this process still holds because the client does not read."""
        ...

    @property
    def reading_rate(self) -> float:
        """Bytes a second of them that the client has read; endless of who has only begun."""
        ...

    def give_way(self) -> None:
        """Closes it at once."""
        ...


class ConnectionRoom:
    """All connections of a server, in the order in which something last came on them.

    A server that can open no more files takes no connection at all, and asyncio then fills the log; one whose answers
    are not read fills its memory with them. So before that an idle connection gives way to who comes, the one of which
    nothing has come for longest, or else who reads slowest; and of too many unread answers the slowest reader's goes.
    Many who connect and ask nothing, or ask and read nothing, keep nobody else out.
    """

    def __init__(self, most: int = MOST_CONNECTIONS, *, most_unread_bytes: int = MOST_UNREAD_BYTES) -> None:
        """For so many, those under way included."""
        self._most = most
        self._most_unread_bytes = most_unread_bytes
        self._guests: dict[Guest, None] = {}
        self._unread: dict[Guest, None] = {}

    def enter(self, guest: Guest) -> None:
        """One more; if they are too many one gives way, the newest itself if all others are being answered."""
        if len(self._guests) >= self._most:
            slowest = min(self._unread, key=_reading_rate, default=guest)
            self._dismiss(next((each for each in self._guests if each.idle), slowest))
            if len(self._guests) >= self._most:
                return
        self._guests[guest] = None

    def heard(self, guest: Guest) -> None:
        """Something came of it."""
        if guest in self._guests:
            del self._guests[guest]
            self._guests[guest] = None

    def exit(self, guest: Guest) -> None:
        """It is closed."""
        self._guests.pop(guest, None)
        self._unread.pop(guest, None)

    def answer_waits(self, guest: Guest) -> None:
        """An answer of it is not read as fast as it was written; where that is too much, the slowest reader goes."""
        self._unread[guest] = None
        while len(self._unread) > 1 and sum(each.unread_bytes for each in self._unread) > self._most_unread_bytes:
            self._dismiss(min(self._unread, key=_reading_rate))

    def answer_read(self, guest: Guest) -> None:
        """It was."""
        self._unread.pop(guest, None)

    def _dismiss(self, guest: Guest) -> None:
        self.exit(guest)
        guest.give_way()


def _reading_rate(guest: Guest) -> float:
    return guest.reading_rate


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
