"""The gateway on a loopback port, and what can stand between it and a client."""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from dirdet.access.key_file import KeyFile, append_key
from dirdet.access.keys import Key, digest, new_key
from dirdet.access.rates import Rate
from dirdet.access.settings import Access
from dirdet.app import create_app
from dirdet.commands.serve import listen
from dirdet.detector import Detector
from dirdet.limits import ServerLimits

Serve = Callable[..., AbstractContextManager[str]]


@dataclass
class Between:
    """Passes requests on to the gateway, after it has answered the first ones itself.

    Attributes:
        answers: of the first requests, one each: status, headers and body.
        delay_s: before any answer.
        drip: never ends its answers.
        requests: headers of all there were.
    """

    app: ASGIApp
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list[Any])
    delay_s: float = 0.0
    drip: bool = False
    requests: list[dict[str, str]] = field(default_factory=list[Any])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.requests.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await asyncio.sleep(self.delay_s)
        if self.drip:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(100):
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await asyncio.sleep(0.1)
            return
        if not self.answers:
            await self.app(scope, receive, send)
            return
        status, headers, body = self.answers.pop(0)
        while (await receive()).get("more_body"):
            pass
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def serve(app: ASGIApp) -> Generator[str]:
    """A running server's address."""
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        running = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://{host}:{port}"
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture
def between(detector: Detector) -> Between:
    """Before the gateway with the detector of rectangles."""
    return Between(create_app(detector))


@pytest.fixture
def url(between: Between) -> Iterator[str]:
    """Address of that."""
    with serve(between) as address:
        yield address


@pytest.fixture
def url_small(detector: Detector) -> Iterator[str]:
    """A gateway that takes three pictures a request and half a megabyte."""
    with serve(create_app(detector, limits=ServerLimits(max_pictures=3, max_request_bytes=500_000))) as address:
        yield address


@pytest.fixture
def url_guarded(detector: Detector, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A gateway that asks for a key, and one that may send two pictures a minute."""
    key, path = new_key(), tmp_path / "keys"
    append_key(path, Key("phone", digest(key), Rate.parse("2/min")))
    with serve(create_app(detector, access=Access(keys=KeyFile(path)))) as address:
        yield address, key
