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

PICTURE = (Path(__file__).resolve().parents[2] / "docs" / "example.jpg").read_bytes()
JPEG = {"content-type": "image/jpeg"}


class Serving:
    """A process that serves the shipped detector."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "dirdet", "serve", "--port", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.log = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = int(self.logged(r"listening on http://127\.0\.0\.1:(\d+)"))

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log += line

    def logged(self, pattern: str) -> str:
        """Waits for a line of the log; its group."""
        end = time.monotonic() + 60
        while not (found := re.search(pattern, self.log, re.MULTILINE)):
            assert time.monotonic() < end, self.log
            time.sleep(0.02)
        return found[1] if found.groups() else found[0]

    def stopped(self, *, within_s: float = 60) -> int:
        """The exit status."""
        status = self.process.wait(within_s)
        self._reader.join()
        return status

    def upload(self) -> socket.socket:
        """A connection whose body does not come."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        head = "POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n"
        connection.sendall(head.encode() + PICTURE[:1000])
        return connection


@contextmanager
def serving(*options: str) -> Generator[Serving]:
    server = Serving(*options)
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
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
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

    with serving() as server:
        threads = [threading.Thread(target=ask, args=(server.port,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.8 + 0.1 * number)
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
    with serving() as server, server.upload() as upload, httpx.Client() as client:
        url = f"http://127.0.0.1:{server.port}"
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        server.logged("stopping: 1 requests under way")
        live, ready, refused = (
            client.get(f"{url}/health/live"),
            client.get(f"{url}/health/ready"),
            client.post(f"{url}/detect", content=PICTURE, headers=JPEG),
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
    with serving() as server, server.upload() as upload:
        time.sleep(0.2)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert upload.recv(12) == b"HTTP/1.1 503"
        assert server.stopped() == 0
        assert time.monotonic() - begun < 6
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


def test_a_second_signal_ends_it_at_once() -> None:
    with serving() as server, server.upload():
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        server.logged("stopping")
        server.process.send_signal(signal.SIGINT)
        assert server.stopped(within_s=5) == 130
    assert "Traceback" not in server.log


def test_it_ends_within_its_time_and_says_what_it_left() -> None:
    with serving("--drain-timeout-s", "2", "--timeout-s", "60") as server:
        answers: list[int] = []

        def ask() -> None:
            files = [("image", ("a.jpg", PICTURE))] * 64
            answers.append(httpx.post(f"http://127.0.0.1:{server.port}/detect", files=files, timeout=60).status_code)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.7)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.stopped() == 0
        assert time.monotonic() - begun < 6
        thread.join()
    assert answers == [503]
    assert "1 requests were not finished in time" in server.log
    assert "Traceback" not in server.log
