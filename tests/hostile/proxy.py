"""A real Caddy with the Caddyfile of docker/proxy in front of a gateway."""

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from waiting import until

from .gateway import Gateway

CADDYFILE = Path(__file__).resolve().parents[2] / "docker" / "proxy" / "Caddyfile"
# The first Caddy with response_buffers; Debian 12 has 2.6.2.
RESPONSE_BUFFERS = (2, 6, 3)
HOST = "localhost"


@dataclass(frozen=True)
class Proxy:
    """Where it listens, and the authority that its certificate is checked with."""

    http_port: int
    https_port: int
    authority: Path
    context: ssl.SSLContext

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.https_port}"

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.context, timeout=60, **options)  # pyright: ignore[reportArgumentType]

    def is_ready(self) -> bool:
        """Whether the gateway behind it says that it detects."""
        with suppress(httpx.TransportError), self.client() as client:
            return client.get("/health/ready").status_code == 200
        return False

    def connect(self) -> socket.socket:
        """A connection without TLS, on which nothing is sent."""
        return socket.create_connection(("127.0.0.1", self.https_port), timeout=60)

    def connect_tls(self, *, receives: int | None = None) -> ssl.SSLSocket:
        """With a buffer of so many bytes for what comes, the system's own unless given."""
        connection = socket.socket()
        if receives is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", self.https_port))
        return self.context.wrap_socket(connection, server_hostname=HOST)


def find_caddy() -> str:
    """The program; skips the test where there is none, unless DIRDET_TEST_PROXY says that one is required."""
    found = os.environ.get("DIRDET_TEST_CADDY") or shutil.which("caddy")
    if found is None:
        if os.environ.get("DIRDET_TEST_PROXY") == "required":
            pytest.fail("caddy is not installed; Debian's package caddy brings it")
        pytest.skip("caddy is not installed; make test-proxy installs it")
    return found


@contextmanager
def proxying(gateway: Gateway, folder: Path) -> Generator[Proxy]:
    """One in front of a gateway that is ready."""
    caddy = find_caddy()
    said = subprocess.run([caddy, "version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(number) for number in re.findall(r"\d+", said)[:3])
    http_port, https_port = _free_ports()
    environment = os.environ | {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "HTTP_PORT": str(http_port),
        "HTTPS_PORT": str(https_port),
        "DIRDET_DOMAIN": HOST,
        "DIRDET_GATEWAY": "{}:{}".format(*gateway.address),
    }
    if version < RESPONSE_BUFFERS:
        environment["CADDY_BUFFERING"] = "buffer_responses"
    command = [caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    log_path, authority = folder / "log", folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    with log_path.open("w") as log, subprocess.Popen(command, stderr=log, stdout=log, env=environment) as process:
        try:
            until(lambda: authority.is_file() or process.poll() is not None)
            assert process.poll() is None, log_path.read_text()
            context = until(lambda: _context(authority))
            assert context is not None
            proxy = Proxy(http_port, https_port, authority, context)
            until(proxy.is_ready)
            yield proxy
        finally:
            process.terminate()
            process.wait(60)


def _context(authority: Path) -> ssl.SSLContext | None:
    with suppress(ssl.SSLError):  # it is still being written
        return ssl.create_default_context(cafile=authority)
    return None


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
