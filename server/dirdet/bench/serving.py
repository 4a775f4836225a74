"""`dirdet serve` as a process for a measurement."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import httpx

from dirdet.errors import EngineError

START_S = 120


@contextmanager
def serving(*options: str) -> Generator[int]:
    """The port of a gateway on this machine, which is ready, and ends with the block.

    Args:
        options: of `dirdet serve`, beside its port.

    Raises:
        EngineError: it ends, or is not ready in time.
    """
    command = [sys.executable, "-m", "dirdet", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            port = _port(process)
            until = time.monotonic() + START_S
            while httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=START_S).status_code != 200:
                if process.poll() is not None or time.monotonic() > until:
                    raise EngineError("dirdet serve did not get ready")
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


def _port(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
            # Else the pipe fills up, and the server waits for somebody to read what it logs.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return int(found[1])
    raise EngineError(f"dirdet serve did not start: {' '.join(said[-2:]).strip()}")
