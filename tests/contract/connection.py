"""A server on a loopback port and bare connections to it: for what a client library would not do."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import uvicorn
from fastapi import FastAPI

from dirdet.commands.serve import listen
from dirdet.connections import TimedConnection


@contextmanager
def running(app: FastAPI) -> Generator[tuple[str, int]]:
    """Host and port of a real uvicorn with the app."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, http=TimedConnection, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield listener.getsockname()[:2]
        finally:
            server.should_exit = True
            thread.join()


class Connection:
    """One request, as slowly as a test wants."""

    def __init__(self, address: tuple[str, int], *headers: str, media_type: str = "image/png") -> None:
        self._socket = socket.create_connection(address, timeout=20)
        lines = ["POST /detect HTTP/1.1", "Host: x", f"Content-Type: {media_type}", *headers, "", ""]
        self._socket.sendall("\r\n".join(lines).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Status, headers by lower-case name, and the JSON body; then the connection is closed."""
        with self, HTTPResponse(self._socket) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, json.loads(response.read())

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def post(address: tuple[str, int], body: bytes, *headers: str, media_type: str = "image/png") -> Connection:
    """A request with its whole body; the answer is still to be read."""
    connection = Connection(address, f"Content-Length: {len(body)}", *headers, media_type=media_type)
    connection.send(body)
    return connection


def until(happened: Callable[[], bool]) -> None:
    """Waits, for ten seconds at most."""
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)
