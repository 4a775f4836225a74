"""An app behind a real uvicorn on a port of this machine's loopback."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn
from starlette.types import ASGIApp

from dirdet.commands.serve import listen
from dirdet.gateway.wire.connections import MOST_HEAD_BYTES, TimedConnection

# Seconds that connections which a test left open keep a server from ending.
LEFT_OPEN_S = 1


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        """As it stands in a URL."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"


@contextmanager
def serving(app: ASGIApp, **settings: Any) -> Generator[Address]:
    """The address of a server with the app, which ends with the block; further settings are uvicorn's."""
    with listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(
            app,
            log_config=None,
            http=TimedConnection,
            h11_max_incomplete_event_size=MOST_HEAD_BYTES,
            timeout_graceful_shutdown=LEFT_OPEN_S,
            **settings,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield Address(*listener.getsockname())
        finally:
            server.should_exit = True
            thread.join()
