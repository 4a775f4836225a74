"""`dirdet serve` is told to stop: what was accepted is finished, what is new is refused, and nobody waits for ever."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from figures import value_at
from waiting import PATIENCE_S, until

PICTURE = (Path(__file__).resolve().parents[3] / "docs" / "example.jpg").read_bytes()
JPEG = {"content-type": "image/jpeg"}
DRAINS_LONG = ("--drain-timeout-s", str(2 * PATIENCE_S))
# Python that stands before the command's own. With the first an upload may take long to come; with the second the
# engine, once it is warm, never answers.
UPLOADS_MAY_TAKE_LONG = f"import dirdet.gateway.wire.server; dirdet.gateway.wire.server.UPLOAD_GRACE_S = {PATIENCE_S}"
STUCK_ENGINE = """
import threading
from dirdet.gateway.service.detectors import ServedDetector
warm_up = ServedDetector.warm_up
def then_stick(served):
    warm_up(served)
    served.detector.engine.detect = lambda batch: threading.Event().wait()
ServedDetector.warm_up = then_stick
"""


class Serving:
    """A process that serves the shipped detector."""

    def __init__(self, *options: str, before: str = "") -> None:
        code = f"{before}\nfrom dirdet.cli import main\nmain()"
        command = [sys.executable, "-c", code, "serve", "--port", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.log = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = int(self.logged(r"listening on http://127\.0\.0\.1:(\d+)"))
        self.url = f"http://127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log += line

    def logged(self, pattern: str) -> str:
        """Waits for a line of the log; its group."""
        found = until(lambda: re.search(pattern, self.log, re.MULTILINE) or self._ended())
        assert isinstance(found, re.Match), self.log
        return found[1] if found.groups() else found[0]

    def _ended(self) -> bool:
        return not self._reader.is_alive()

    def stopped(self) -> int:
        """The exit status."""
        status = self.process.wait(PATIENCE_S)
        self._reader.join()
        return status

    def under_way(self) -> float:
        """Requests, without the one that asks."""
        return value_at(self.url, "http_server_active_requests") - 1

    def upload(self) -> socket.socket:
        """A connection whose body does not come; the server has seen it."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        head = "POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n"
        connection.sendall(head.encode() + PICTURE[:1000])
        until(lambda: self.under_way() == 1)
        return connection


@contextmanager
def serving(*options: str, before: str = "") -> Generator[Serving]:
    server = Serving(*options, before=before)
    try:
        server.logged("INFO ready$")
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.stopped()


@pytest.fixture(autouse=True)
def _needs_the_bundle(bundle_folder: Path) -> None:
    """The shipped one."""


@pytest.mark.parametrize("number", range(3))
def test_under_load_nothing_that_was_accepted_is_lost(number: int) -> None:
    seen = Counter[int]()
    ended = threading.Event()

    def ask(port: int) -> None:
        while not ended.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            try:
                connection.request("POST", "/detect", PICTURE, JPEG)
                answer = connection.getresponse()
                answer.read()
                seen[answer.status] += 1
                if answer.status == 503:
                    assert answer.headers["connection"] == "close"
                    time.sleep(0.02)
            except OSError:
                ended.wait(0.02)  # the process has never seen this connection
            finally:
                connection.close()

    with serving(*DRAINS_LONG, "--timeout-s", "120") as server:
        threads = [threading.Thread(target=ask, args=(server.port,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        until(lambda: seen[200] > 8 * number)
        server.process.send_signal(signal.SIGTERM)
        status = server.stopped()
        ended.set()
        for thread in threads:
            thread.join()
    assert status == 0
    assert "Traceback" not in server.log
    assert set(seen) <= {200, 503}
    assert seen[200] > 0
    assert seen[200] == server.log.count("POST /detect 200 ")


def test_while_it_stops_it_is_alive_not_ready_and_takes_nothing_new() -> None:
    with (
        serving(*DRAINS_LONG, before=UPLOADS_MAY_TAKE_LONG) as server,
        server.upload() as upload,
        httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client,
    ):
        server.process.send_signal(signal.SIGTERM)
        server.logged("stopping: 1 requests under way")
        live, ready, refused = (
            client.get("/health/live"),
            client.get("/health/ready"),
            client.post("/detect", content=PICTURE, headers=JPEG),
        )
        assert (live.status_code, ready.status_code, refused.status_code) == (200, 503, 503)
        assert {each.headers["connection"] for each in (live, ready, refused)} == {"close"}
        assert refused.json()["type"] == "urn:dirdet:problem:stopping"
        assert int(refused.headers["retry-after"]) > 0
        upload.sendall(PICTURE[1000:] + bytes(100_000 - len(PICTURE)))
        assert upload.recv(12) == b"HTTP/1.1 200"  # it came in time
        assert server.stopped() == 0
    assert "Traceback" not in server.log


def test_an_upload_that_stalls_does_not_hold_it() -> None:
    with serving(*DRAINS_LONG) as server, server.upload() as upload:
        begun = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert upload.recv(12) == b"HTTP/1.1 503"
        assert server.stopped() == 0
        assert time.monotonic() - begun < PATIENCE_S
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


def test_a_second_signal_ends_it_at_once() -> None:
    with serving(*DRAINS_LONG, before=UPLOADS_MAY_TAKE_LONG) as server, server.upload():
        server.process.send_signal(signal.SIGINT)
        server.logged("stopping")
        server.process.send_signal(signal.SIGINT)
        assert server.stopped() == 130
    assert "Traceback" not in server.log


def test_it_ends_within_its_time_and_says_what_it_left() -> None:
    # A request's own time is longer than the test's patience.
    own = ("--timeout-s", "600", "--max-timeout-s", "600")
    with serving("--drain-timeout-s", "2", *own, before=STUCK_ENGINE) as server:
        answers: list[int] = []

        def ask() -> None:
            answer = httpx.post(f"{server.url}/detect", content=PICTURE, headers=JPEG, timeout=PATIENCE_S)
            answers.append(answer.status_code)

        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: value_at(server.url, "dirdet_queue_depth") == 1)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.stopped() == 0
        assert 1 <= time.monotonic() - begun < PATIENCE_S
        thread.join()
    assert answers == [503]
    assert "1 requests were not finished in time" in server.log
    assert "Traceback" not in server.log
