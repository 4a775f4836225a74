"""A real `dirdet serve` on the shipped detector, and what can be seen of it from outside."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

START = [sys.executable, "-m", "dirdet", "serve", "--port", "0"]
STARTED_WITHIN_S = 120
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Gateway:
    """The process, where it listens, and the key that it wants."""

    pid: int
    address: tuple[str, int]
    log_path: Path
    key: str = ""

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)

    @property
    def host(self) -> bytes:
        """Header lines that a good request has."""
        return b"Host: x\r\n" + (f"Authorization: Bearer {self.key}\r\n".encode() if self.key else b"")

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def is_ready(self) -> bool:
        return self.ask(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n") == 200

    def resident_mib(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20

    def processor_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def connect(self, *, receives: int | None = None) -> socket.socket:
        """With a buffer of so many bytes for what comes, the system's own unless given."""
        connection = socket.socket()
        if receives is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        connection.settimeout(60)
        connection.connect(self.address)
        return connection

    def ask(self, request: bytes) -> int | None:
        """The status of the first answer; None if the connection ends without one."""
        with self.connect() as connection:
            with suppress(ConnectionError):  # it may have answered before all was sent
                connection.sendall(request)
            try:
                with HTTPResponse(connection) as response:
                    response.begin()
                    response.read()
                    return response.status
            except ConnectionError:
                return None


@contextmanager
def serving(folder: Path, *arguments: str, key: str = "") -> Generator[Gateway]:
    """One that is ready; it ends with status 0."""
    log_path = folder / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DIRDET_")}
    with (
        log_path.open("w", encoding="utf-8") as log,
        subprocess.Popen([*START, *arguments], stderr=log, env=environment) as process,
    ):
        try:
            yield Gateway(process.pid, _ready(process, log_path), log_path, key)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert process.returncode == 0, log_path.read_text(encoding="utf-8")


def _ready(process: subprocess.Popen[bytes], log_path: Path) -> tuple[str, int]:
    end = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        said = log_path.read_text(encoding="utf-8")
        found = re.search(r"listening on https?://127\.0\.0\.1:(\d+)", said)
        if found and re.search(r' INFO ready$|"message": "ready"', said, re.MULTILINE):
            return "127.0.0.1", int(found[1])
        time.sleep(0.05)
    raise AssertionError(log_path.read_text(encoding="utf-8"))
