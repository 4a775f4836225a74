"""What is said when the system gives no more connections: asyncio would say it thousands of times a second."""

import asyncio
import logging
import time
from typing import Any

log = logging.getLogger(__name__)

SAY_EVERY_S = 10.0
# asyncio's own words, of `_accept_connection` in asyncio/selector_events.py.
NO_MORE = "socket.accept() out of system resource"


class AcceptErrors:
    """An event loop's exception handler; what it does not know goes to asyncio's own."""

    def __init__(self) -> None:
        """Has said nothing yet."""
        self._next_s = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Says it in one line, every ten seconds at most."""
        if context.get("message") != NO_MORE:
            loop.default_exception_handler(context)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + SAY_EVERY_S
            log.error("no more connections are taken for now: %s", getattr(context.get("exception"), "strerror", "?"))
