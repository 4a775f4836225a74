"""`dirdet serve` with several detectors, as somebody types it."""

import contextlib
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme
from certificates import issue
from figures import value_in
from PIL import Image

from dirdet.bundle.bundle import MANIFEST, sha256_of
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import append_key

pytest.importorskip("onnxruntime", reason="loading a detector needs ONNX Runtime")

START = [sys.executable, "-c", "from dirdet.cli import main; main()", "serve", "--port", "0"]
PATIENCE_S = 300
PNG = {"content-type": "image/png"}
# Discard: nobody listens there.
NO_TRITON = "127.0.0.1:9"


@pytest.fixture
def make(bundle_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """A folder with the shipped bundle, changed: `make("b", checkpoint="1" * 64)`."""

    def make(name: str, *, checkpoint: str = "", network: bytes | None = None) -> Path:
        folder = Path(shutil.copytree(bundle_folder, tmp_path / name))
        told = json.loads((folder / MANIFEST).read_text())
        told["provenance"]["checkpoint_sha256"] = checkpoint or told["provenance"]["checkpoint_sha256"]
        if network is not None:
            (folder / "detector.onnx").write_bytes(network)
            told["files"]["detector.onnx"] = sha256_of(folder / "detector.onnx")
        (folder / MANIFEST).write_text(json.dumps(told))
        return folder

    return make


@dataclass
class Running:
    """A server, what it has said so far, and where it listens."""

    process: subprocess.Popen[str]
    log: str = ""

    @property
    def url(self) -> str:
        found = re.search(r"listening on (https?://\S+)", self.log)
        assert found is not None, self.log
        return found[1]

    def wait(self, until: str) -> None:
        """For words in its log."""
        assert self.process.stderr is not None
        while not re.search(until, self.log, re.MULTILINE):
            line = self.process.stderr.readline()
            assert line, self.log
            self.log += line

    def end(self) -> str:
        """The whole log."""
        self.process.send_signal(signal.SIGTERM)
        self.log += self.process.communicate(timeout=PATIENCE_S)[1]
        assert self.process.returncode == 0, self.log
        assert "Traceback" not in self.log
        return self.log


@contextmanager
def serving(*options: str, until: str = "INFO ready$") -> Generator[Running]:
    """Once it has said so."""
    with subprocess.Popen([*START, *options], stderr=subprocess.PIPE, text=True) as process:
        try:
            running = Running(process)
            running.wait(until)
            yield running
        finally:
            process.kill()


@pytest.fixture
def admin(tmp_path: Path) -> tuple[str, str]:
    """A file of keys, and the one in it."""
    secret, path = new_key(), tmp_path / "keys"
    append_key(path, Key("operator", digest(secret), admin=True))
    return str(path), secret


def test_two_detectors_from_the_start_to_the_end(
    make: Callable[..., Path],
    admin: tuple[str, str],
    rectangles: Callable[..., Image.Image],
    encode: Callable[..., bytes],
) -> None:
    first, second, third = (make(name, checkpoint=number * 64) for name, number in (("a", "1"), ("b", "2"), ("c", "3")))
    options = ["--detector", f"one={first}", "--detector", f"two={second}"]
    picture = encode(rectangles(320, 240))
    with (
        serving(*options, "--keys", admin[0]) as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE_S, headers={"X-API-Key": admin[1]}) as client,
    ):
        assert client.get("/health/ready").status_code == 200
        told = client.get("/detectors").json()
        assert (told["default"], [each["name"] for each in told["detectors"]]) == ("one", ["one", "two"])
        for path, number in (("", "1"), ("/detectors/one", "1"), ("/detectors/two", "2")):
            answer = client.post(f"{path}/detect", content=picture, headers=PNG).json()
            assert answer["detector"]["checkpoint_sha256"] == number * 64
        shutil.rmtree(second)
        third.rename(second)
        changed = client.post("/admin/reload?detector=two").json()["detectors"]
        assert [(each["name"], each["status"]) for each in changed] == [("two", "reloaded")]
        answer = client.post("/detectors/two/detect", content=picture, headers=PNG).json()
        assert answer["detector"]["checkpoint_sha256"] == "3" * 64
        metrics = client.get("/metrics").text
        for name in ("one", "two"):
            assert f'dirdet_stage_duration_seconds_count{{detector="{name}",stage="body"}} 2.0' in metrics
        server.end()


def test_a_second_detector_that_cannot_be_loaded_is_one_line_and_nothing_is_served(make: Callable[..., Path]) -> None:
    """Its hashes are right; only ONNX Runtime can tell, once the first is loaded."""
    folder = make("b", network=b"no network")
    command = [*START, "--detector", f"one={make('a')}", "--detector", f"two={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"dirdet: {folder / 'detector.onnx'} cannot be loaded: "), done.stderr
    assert "Traceback" not in done.stderr
    assert "INFO ready" not in done.stderr


def test_several_processes_reload_nothing_and_say_why(make: Callable[..., Path], admin: tuple[str, str]) -> None:
    """The option is named, with one detector or two, before a Triton; without one there are no several processes."""
    detectors = ["--detector", f"one={make('a')}", "--detector", f"two={make('b')}"]
    options = [*detectors, "--workers", "2", "--triton", NO_TRITON, "--keys", admin[0]]
    with (
        serving(*options, until="(?s)(waiting for the engine.*){2}") as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE_S, headers={"X-API-Key": admin[1]}) as client,
    ):
        for query in ("", "?detector=two"):
            answer = client.post(f"/admin/reload{query}")
            assert answer.status_code == 409
            assert "a request reaches only one of the 2 processes (--workers)" in answer.json()["detail"]
        assert [each["name"] for each in client.get("/detectors").json()["detectors"]] == ["one", "two"]
        metrics = client.get("/metrics").text
        assert (
            value_in(
                metrics,
                "http_server_request_duration_seconds_count",
                http_request_method="POST",
                http_route="/admin/reload",
                http_response_status_code="409",
            )
            == 2
        )  # whichever process was asked
        assert "process_cpu_seconds" not in metrics
        server.end()
    done = subprocess.run(
        [*START, *detectors, "--workers", "2"], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 2
    assert "'--workers': 2 processes need --triton" in done.stderr


def test_several_processes_answer_over_tls_and_finish_what_has_begun(tmp_path: Path) -> None:
    """A connection that another process accepted is as good as one's own."""
    authority = trustme.CA()
    tls = issue(authority, "127.0.0.1", tmp_path)
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    options = ["--tls-cert", str(tls.certificate), "--tls-key", str(tls.private_key)]
    with (
        serving("--workers", "2", "--triton", NO_TRITON, *options, until="(?s)(waiting for the engine.*){2}") as server,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(4):
            client = httpx.Client(base_url=server.url, verify=trusted, timeout=PATIENCE_S)
            assert stack.enter_context(client).get("/health/live").status_code == 200
        address = httpx.URL(server.url)
        plain = socket.create_connection((address.host, address.port or 0), timeout=PATIENCE_S)
        begun = stack.enter_context(trusted.wrap_socket(plain, server_hostname=address.host))
        begun.sendall(b"POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\nx")
        server.process.send_signal(signal.SIGTERM)
        begun.sendall(b"y")
        assert begun.recv(9) == b"HTTP/1.1 "
        server.end()
