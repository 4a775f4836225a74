"""The page in a real Chromium, before real servers on loopback ports."""

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from dirdet.app import create_app
from dirdet.commands.serve import listen
from dirdet.detector import Detector
from dirdet.shipped import default_bundle

from .watched import Watched

# `make test-browser` sets it: there a missing browser is a failure, not a reason to skip.
REQUIRED = "DIRDET_TEST_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Long, since a busy machine is no fault of the page.
TIMEOUT_MS = 60_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]

Serve = Callable[[FastAPI | Detector], str]
Open = Callable[..., Any]


def missing(what: str) -> None:
    if REQUIRED in os.environ:
        pytest.fail(what)
    pytest.skip(f"{what}; make test-browser installs it where it can")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium of its own; of a module, since its event loop lets no other run in this thread."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("the package playwright is not installed")
        return
    found = os.environ.get("DIRDET_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing("there is no chromium on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Opens the page of a server: `open_page(address, color_scheme="dark", ...)`; options of Playwright's context."""
    opened: list[Watched] = []

    def open_(address: str, **options: Any) -> Watched:
        page = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options).new_page()
        page.set_default_timeout(TIMEOUT_MS)
        opened.append(Watched(page, address))
        page.goto(f"{address}/")
        return opened[-1]

    yield open_
    for watched in opened:
        watched.page.context.close()
        assert watched.faults == []
        # A picture leaves the browser for /detect only, or that of a detector which was chosen.
        asked = {path for method, path in watched.sent if method != "GET"}
        assert {re.sub("^/detectors/[^/]+(?=/detect$)", "", path) for path in asked} <= {"/detect"}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves an app, or a detector's, and tells its address."""
    stops: list[Callable[[], None]] = []

    def start(what: FastAPI | Detector) -> str:
        app = create_app(what) if isinstance(what, Detector) else what
        listener = listen("127.0.0.1", 0)
        running = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()

        def stop() -> None:
            running.should_exit = True
            thread.join()
            listener.close()

        stops.append(stop)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for stop in stops:
        stop()


@pytest.fixture(scope="module")
def shipped() -> Detector:
    pytest.importorskip("onnxruntime", reason="detecting needs ONNX Runtime")
    return Detector.open(default_bundle())
