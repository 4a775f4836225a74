"""The gateway on a loopback port, and what can stand between it and a client."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from loopback import serving
from starlette.types import ASGIApp, Receive, Scope, Send

from dirdet.detector.detector import Detector
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import KeyFile, append_key
from dirdet.gateway.access.rate_limits import Rate
from dirdet.gateway.access.settings import Access
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits


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
            while True:  # until the server ends
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await asyncio.sleep(0.1)
        if not self.answers:
            await self.app(scope, receive, send)
            return
        status, headers, body = self.answers.pop(0)
        while (await receive()).get("more_body"):
            pass
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def between(detector: Detector) -> Between:
    """Before the gateway with the detector of rectangles."""
    return Between(create_app(detector))


@pytest.fixture
def url(between: Between) -> Iterator[str]:
    """Address of that."""
    with serving(between) as address:
        yield address.url


@pytest.fixture
def url_small(detector: Detector) -> Iterator[str]:
    """A gateway that takes three pictures a request and half a megabyte."""
    with serving(create_app(detector, limits=ServerLimits(max_pictures=3, max_request_bytes=500_000))) as address:
        yield address.url


@pytest.fixture
def url_guarded(detector: Detector, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A gateway that asks for a key, and one that may send two pictures an hour."""
    key, path = new_key(), tmp_path / "keys"
    append_key(path, Key("phone", digest(key), Rate.parse("2/h")))
    with serving(create_app(detector, access=Access(keys=KeyFile(path)))) as address:
        yield address.url, key
