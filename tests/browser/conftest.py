"""The page in a real Chromium, before real servers on loopback ports."""

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI
from loopback import serving
from waiting import PATIENCE_S

from dirdet.bundle.shipped import default_bundle
from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app

from .watched import Watched

# `make test-browser` sets it: there a missing browser is a failure, not a reason to skip.
REQUIRED = "DIRDET_TEST_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Of whatever is waited for, the browser's own start included: a busy machine is no fault of the page.
TIMEOUT_MS = 1000 * PATIENCE_S
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

FAILED = pytest.StashKey[bool]()

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
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=FLAGS, timeout=TIMEOUT_MS)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Lets fixtures know that a test failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def open_page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Open]:
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
        if request.node.stash.get(FAILED, False):
            print(watched.told())  # pytest shows it with the failure
        watched.page.context.close()
        assert watched.faults == []
        # A picture leaves the browser for /detect only, or that of a detector which was chosen.
        asked = {path for method, path in watched.sent if method != "GET"}
        assert {re.sub("^/detectors/[^/]+(?=/detect$)", "", path) for path in asked} <= {"/detect"}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves an app, or a detector's, and tells its address."""
    with ExitStack() as running:

        def start(what: FastAPI | Detector) -> str:
            app = create_app(what) if isinstance(what, Detector) else what
            return running.enter_context(serving(app)).url

        yield start


@pytest.fixture(scope="module")
def shipped() -> Detector:
    pytest.importorskip("onnxruntime", reason="detecting needs ONNX Runtime")
    return Detector.open(default_bundle())
