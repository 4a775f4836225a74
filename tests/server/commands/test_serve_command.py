"""`dirdet serve`: starts, answers, stops."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image
from waiting import PATIENCE_S

from dirdet.commands.serve import listen
from dirdet.errors import ListenError, ParameterError

START = [sys.executable, "-c", "from dirdet.cli import main; main()", "serve"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_bundle_until_it_is_stopped(
    stop: signal.Signals, bundle_folder: Path, rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]
) -> None:
    environment = os.environ | {"PORT": "0"}
    command = [*START, "--detector", str(bundle_folder)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            log = ""
            while not (found := re.search(r"listening on (http://\S+)", log)):
                line = process.stderr.readline()
                assert line, log
                log += line
            with httpx.Client(base_url=found[1], timeout=PATIENCE_S) as client:
                while not log.endswith("ready\n"):
                    log += process.stderr.readline()
                assert "ExecutionProvider (" in log
                assert client.get("/health/ready").status_code == 200
                answer = client.post("/detect", files={"image": ("a.jpg", encode(rectangles(), "JPEG"))})
                assert answer.status_code == 200
                assert answer.json()["images"][0]["width"] == 640
                assert len(client.get("/detector").json()["classes"]) > 0
        finally:
            process.send_signal(stop)
            output, rest = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, rest
    assert output == ""
    assert "POST /detect" in rest
    assert "Traceback" not in log + rest


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*START, "--port", str(port)], capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"dirdet: --port: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "choose another with --port or PORT, or a free one with --port 0\n"
    )


def test_a_folder_that_is_no_bundle_is_one_line(tmp_path: Path) -> None:
    command = [*START, "--port", "0", "--detector", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 1
    assert done.stderr == f"dirdet: {tmp_path} is not a bundle: it has no bundle.json\n"


def test_a_host_that_is_no_address() -> None:
    with pytest.raises(ParameterError, match="'no such host' is not an address"):
        listen("no such host", 0)


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on 192\.0\.2\.1"):  # RFC 5737: documentation's, nobody's
        listen("192.0.2.1", 0)


def test_every_address_of_this_machine() -> None:
    with listen("0.0.0.0", 0) as listener:
        socket.create_connection(("127.0.0.1", listener.getsockname()[1])).close()


def test_answers_do_not_wait_for_acknowledgements():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
