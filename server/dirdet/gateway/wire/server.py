"""Runs an app under uvicorn from the first connection to the last answer."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import uvicorn
from anyio import to_thread
from fastapi import FastAPI

from dirdet.gateway.http.graceful_shutdown import Drain
from dirdet.gateway.wire.connections import MOST_HEAD_BYTES, TimedConnection
from dirdet.gateway.wire.handed_connections import HandedConnections

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Connections of a process, idle ones included; with more, requests are answered with 503. Many systems let a process
# open 1024 files.
MOST_CONNECTIONS = 800
# Connections that may wait to be accepted; asyncio accepts as many at once.
BACKLOG = 256
# Seconds for a body to arrive after the server is asked to stop; then its request is refused.
UPLOAD_GRACE_S = 1.0
# Seconds for a request to arrive, and to be refused, on a connection that was accepted last.
LAST_WORDS_S = 0.1
# Seconds for clients to read the last bytes of answers, part of the time for stopping.
FLUSH_S = 1


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, which can also serve connections that another process accepts."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket | None) -> None:
        super().__init__(config)
        self._channel = channel

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept connections, or to take them from the channel."""
        await super().startup(sockets if self._channel is None else [])
        if self._channel is not None:
            self.servers.append(HandedConnections(self._channel, self._connection, self.config.ssl))  # pyright: ignore[reportArgumentType]

    def _connection(self) -> asyncio.Protocol:
        make = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # pyright: ignore[reportCallIssue]

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Does nothing: `AppServer` handles signals."""
        yield


class AppServer:
    """Serves an app on a socket until a signal, and then finishes the accepted requests.

    The first SIGINT or SIGTERM begins the drain; the second ends the process at once, with status 128 plus its number.
    """

    def __init__(
        self,
        app: FastAPI,
        drain: Drain,
        *,
        listener: socket.socket,
        handed: bool = False,
        drain_timeout_s: float,
        uvicorn_settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Does not serve yet.

        Args:
            app: what answers, made with `drain`.
            drain: what the app has under way.
            listener: a listening socket.
            handed: it is a channel instead, over which another process hands accepted connections.
            drain_timeout_s: between the signal and the end.
            uvicorn_settings: further arguments of `uvicorn.Config`.
        """
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # `dirdet.gateway.telemetry.request_log` logs requests
            http=TimedConnection,
            ws="none",
            h11_max_incomplete_event_size=MOST_HEAD_BYTES,
            limit_concurrency=MOST_CONNECTIONS,
            backlog=BACKLOG,
            timeout_graceful_shutdown=FLUSH_S,
            **(uvicorn_settings or {}),
        )
        self._server = _Server(config, listener if handed else None)
        self._drain = drain
        self._listener = listener
        self._drain_timeout_s = drain_timeout_s
        self._stop = asyncio.Event()

    def run(self, load: Callable[[], None]) -> None:
        """Serves in this thread, the process's main one, until it is stopped.

        Args:
            load: makes the app ready, in another thread, while it already answers; cannot be interrupted.

        Raises:
            Exception: what `load` raised; the app then stops.
        """
        asyncio.run(self._run(load))

    async def _run(self, load: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)
        failures: list[Exception] = []
        serving = asyncio.create_task(self._server.serve([self._listener]))
        loading = asyncio.create_task(self._load(load, failures))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await self._end_requests()
        await self._end_connections()
        self._server.should_exit = True
        await serving
        if not loading.done():
            log.info("stopped while the detector was loaded")
            leave(0)  # loading runs in a thread, which cannot be stopped
        if failures:
            raise failures[0]

    async def _load(self, load: Callable[[], None], failures: list[Exception]) -> None:
        try:
            await to_thread.run_sync(load)
        except Exception as exc:
            failures.append(exc)
            self._stop.set()

    async def _end_requests(self) -> None:
        """Waits for the accepted requests, and refuses what is left when the time is over."""
        if self._drain.under_way:
            log.info("stopping: %d requests under way; another Ctrl-C ends them", self._drain.under_way)
        end_s = anyio.current_time() + max(self._drain_timeout_s - FLUSH_S, self._drain_timeout_s / 2)
        self._drain.stop()
        with anyio.move_on_after(min(end_s - anyio.current_time(), UPLOAD_GRACE_S)):
            await self._drain.emptied()
        self._drain.refuse_uploads()
        with anyio.move_on_after(end_s - anyio.current_time()):
            await self._drain.emptied()
        if self._drain.under_way:
            log.warning("stopping: %d requests were not finished in time and are refused", self._drain.under_way)
        self._drain.refuse_all()

    async def _end_connections(self) -> None:
        """Accepts no new connection, and lets open ones be answered; uvicorn would close them at once."""
        for server in getattr(self._server, "servers", []):  # none if the server could not start
            server.close()
        await anyio.sleep(LAST_WORDS_S)

    def _signalled(self, number: int) -> None:
        if self._stop.is_set():
            log.warning("stopped at once; %d requests were under way", self._drain.under_way)
            leave(128 + number)
        self._stop.set()


def leave(status: int) -> None:
    """Ends the process without waiting for threads."""
    with suppress(Exception):
        logging.shutdown()
    os._exit(status)
