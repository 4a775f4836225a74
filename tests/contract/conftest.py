"""The API over the detector of rectangles, spoken to in this process."""

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from dirdet.app import create_app
from dirdet.detector import Detector
from dirdet.limits import ServerLimits
from dirdet.pictures import PictureLimits

Call = Callable[..., httpx.Response]

# Small, so that tests of the limits are quick.
LIMITS = ServerLimits(
    picture=PictureLimits(max_bytes=200_000, max_pixels=1_000_000), max_pictures=4, max_request_bytes=500_000
)


def caller(app: FastAPI) -> Call:
    """Sends one request to an app: `call("POST", "/detect", content=...)`."""

    def call(method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            # An exception that reaches the server is answered with 500, as uvicorn does.
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.request(method, path, **options)

        return anyio.run(send)

    return call


@pytest.fixture
def app(detector: Detector) -> FastAPI:
    return create_app(detector)


@pytest.fixture
def call(app: FastAPI) -> Call:
    return caller(app)


@pytest.fixture
def call_small(detector: Detector) -> Call:
    """An app with small limits: 200 kB and a megapixel a picture, four pictures and 500 kB a request."""
    return caller(create_app(detector, limits=LIMITS))


@pytest.fixture
def call_plain(plain_detector: Detector) -> Call:
    """An app over a detector without localization confidence."""
    return caller(create_app(plain_detector))


@pytest.fixture
def call_of() -> Callable[[Detector], Call]:
    """An app over any detector: `call_of(detector)("POST", ...)`."""
    return lambda detector: caller(create_app(detector))


@pytest.fixture
def call_app() -> Callable[[FastAPI], Call]:
    """Any app: `call_app(app)("POST", ...)`."""
    return caller
