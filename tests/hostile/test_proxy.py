"""Strangers before a real gateway with the proxy of docker/proxy in front: slow, idle or many, they keep nobody out."""

import json
import resource
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from megabytes import asking_for_megabytes
from waiting import PATIENCE_S, until

from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import append_key
from dirdet.gateway.wire.server import MOST_CONNECTIONS

from .gateway import Gateway, serving
from .proxy import HOST, Proxy, find_caddy, proxying

PICTURE = (Path(__file__).resolve().parents[2] / "docs" / "example.jpg").read_bytes()
IDLE = 3000
FILES = 2 * IDLE
SLOW = 300
# More than the gateway takes connections.
READERS = MOST_CONNECTIONS + 100
LARGE = 2
# Connections of the gateway.
FEW = 100
# In /proc/net/tcp; linux/include/net/tcp_states.h.
ESTABLISHED = "01"
# The gateway's own time for a head, and the proxy's.
HEAD_S = 10


@pytest.fixture(scope="module", autouse=True)
def many_files() -> Iterator[None]:
    """Of this process and of those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"a process may open {hard} files here, and {FILES} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Wants a key, and believes what comes from 127.0.0.1."""
    find_caddy()
    folder = tmp_path_factory.mktemp("gateway")
    key = new_key()
    append_key(folder / "keys", Key("phone", digest(key)))
    options = ("--keys", str(folder / "keys"), "--trusted-proxy", "127.0.0.1", "--log-format", "json")
    with serving(folder, *options, key=key) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def proxy(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with proxying(gateway, tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


def connections_to(gateway: Gateway) -> int:
    """Those that are established, at the gateway's end."""
    listening = f"{int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}:{gateway.address[1]:04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return sum(fields[1] == listening and fields[3] == ESTABLISHED for fields in map(str.split, lines))


def detects(gateway: Gateway, proxy: Proxy) -> bool:
    """Whether a caller with a key gets detections, through the proxy."""
    headers = {"x-api-key": gateway.key, "content-type": "image/jpeg"}
    with proxy.client() as client:
        answer = client.post("/detect", content=PICTURE, headers=headers)
    return answer.status_code == 200 and bool(answer.json()["images"][0]["detections"])


def test_it_speaks_tls_and_http_2_and_leads_there(gateway: Gateway, proxy: Proxy) -> None:
    redirected = httpx.get(f"http://{HOST}:{proxy.http_port}/docs", timeout=PATIENCE_S)
    assert (redirected.status_code, redirected.headers["location"]) == (308, f"https://{HOST}/docs")
    context = ssl.create_default_context(cafile=proxy.authority)
    context.set_alpn_protocols(["h2"])
    with proxy.connect() as plain, context.wrap_socket(plain, server_hostname=HOST) as encrypted:
        assert encrypted.selected_alpn_protocol() == "h2"
    with proxy.client() as client:
        assert client.get("/detector").status_code == 401
    assert detects(gateway, proxy)


def test_thousands_of_idle_connections_keep_nobody_out(gateway: Gateway, proxy: Proxy) -> None:
    with ExitStack() as opened:
        for _ in range(IDLE):
            opened.enter_context(proxy.connect())
        for _ in range(3):
            assert detects(gateway, proxy)
        assert connections_to(gateway) < FEW


def test_heads_that_never_end_keep_nobody_out_and_are_closed(gateway: Gateway, proxy: Proxy) -> None:
    with ExitStack() as opened:
        slow = [opened.enter_context(proxy.connect_tls()) for _ in range(SLOW)]
        begun_s = time.monotonic()
        for connection in slow:
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nX: ")
        while time.monotonic() - begun_s < HEAD_S + 2:
            for connection in slow:
                with suppress(OSError):  # the proxy has closed it
                    connection.send(b"a")
            assert detects(gateway, proxy)
            assert connections_to(gateway) < FEW
        for connection in slow:
            with suppress(ConnectionError, ssl.SSLError):
                assert b" 200 " not in connection.recv(1000)


def test_answers_that_nobody_reads_keep_nobody_out(gateway: Gateway, proxy: Proxy) -> None:
    with ExitStack() as opened:
        for _ in range(READERS):
            connection = opened.enter_context(proxy.connect_tls(receives=4096))
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        until(lambda: connections_to(gateway) < FEW)
        for _ in range(3):
            assert detects(gateway, proxy)


def test_large_answers_that_nobody_reads_hold_no_connection_of_the_gateway(gateway: Gateway, proxy: Proxy) -> None:
    """Larger than what the system takes on the way."""
    lines = f"Host: {HOST}\r\nX-API-Key: {gateway.key}\r\n".encode()
    asking = asking_for_megabytes(2800, 2800, lines=lines)
    with ExitStack() as opened:
        for _ in range(LARGE):
            connection = opened.enter_context(proxy.connect_tls(receives=4096))
            connection.sendall(asking)
            assert connection.recv(12) == b"HTTP/1.1 200"
        until(lambda: connections_to(gateway) == 0)


def test_heads_and_bodies_are_bounded(gateway: Gateway, proxy: Proxy) -> None:
    with proxy.client() as client:
        assert client.get("/health/live", headers={"x": "a" * 100_000}).status_code == 431
    with proxy.connect_tls() as connection:
        lines = b"Host: localhost\r\nX-API-Key: %b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(b"POST /detect HTTP/1.1\r\n" + lines % (gateway.key.encode(), 10**9))
        connection.settimeout(0.1)
        answer = b""
        while not answer:
            connection.sendall(b"a")
            with suppress(TimeoutError):
                answer = connection.recv(12)
    assert answer == b"HTTP/1.1 413"


def test_the_gateway_knows_the_client_by_the_proxy_alone(gateway: Gateway, proxy: Proxy) -> None:
    forged = {"x-forwarded-for": "203.0.113.7", "x-request-id": "through-the-proxy"}
    with proxy.client(transport=httpx.HTTPTransport(verify=proxy.context, local_address="127.0.0.3")) as client:
        assert client.get("/detector", headers=forged).status_code == 401
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=PATIENCE_S) as client:
        assert client.get(f"{gateway.url}/detector", headers=forged | {"x-request-id": "past-it"}).status_code == 401
    assert until(lambda: logged_client(gateway, "through-the-proxy")) == "127.0.0.3"
    assert until(lambda: logged_client(gateway, "past-it")) == "127.0.0.2"


def logged_client(gateway: Gateway, request_id: str) -> str | None:
    """The address that the log has for a request; None as long as it has none."""
    lines = [line for line in gateway.log().splitlines(keepends=True) if line.endswith("\n")]
    return next((line["client"] for line in map(json.loads, lines) if line.get("request_id") == request_id), None)
