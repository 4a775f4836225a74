"""The API over the detector of rectangles, spoken to in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import anyio
import httpx
import pytest
from fastapi import Depends, FastAPI

from dirdet.detector.detector import Detector
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.authentication import require_admin
from dirdet.gateway.access.key_file import KeyFile, append_key
from dirdet.gateway.access.rate_limits import Rate
from dirdet.gateway.access.settings import Access
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.pictures.reading import PictureLimits

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


class Clock:
    """Time that stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def phone() -> str:
    return new_key()


@pytest.fixture
def operator() -> str:
    return new_key()


@pytest.fixture
def path(tmp_path: Path, phone: str, operator: str) -> Path:
    """A file with the phone's key, 3 requests a minute, and the operator's, an admin's without a limit."""
    path = tmp_path / "keys"
    append_key(path, Key("phone", digest(phone), Rate.parse("3/min")))
    append_key(path, Key("operator", digest(operator), admin=True))
    return path


@pytest.fixture
def guarded(detector: Detector, path: Path, clock: Clock) -> FastAPI:
    """Asks for a key of the file, lets pages of one origin read, and has a route for admins."""
    app = create_app(detector, access=Access(keys=KeyFile(path, clock=clock), cors_origins=("https://app.example",)))

    @app.post("/change", tags=["admin"])
    async def change(key: Annotated[Key, Depends(require_admin)]) -> str:  # pyright: ignore[reportUnusedFunction]
        return key.name

    return app


@pytest.fixture
def ask(guarded: FastAPI) -> Call:
    """The guarded app, whose time is `clock`'s."""
    return caller(guarded)


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
