"""Keys and TLS behind a real uvicorn on a loopback port."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme
from certificates import issue
from loopback import Address, serving
from PIL import Image
from waiting import PATIENCE_S

from dirdet.detector.detector import Detector
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import KeyFile, append_key
from dirdet.gateway.access.rate_limits import Rate
from dirdet.gateway.access.settings import Access
from dirdet.gateway.access.tls_files import TlsFiles
from dirdet.gateway.app import create_app

Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]


@contextmanager
def running(detector: Detector, access: Access) -> Generator[Address]:
    """A server's address."""
    with serving(create_app(detector, access=access), **access.uvicorn_settings()) as address:
        yield address


@pytest.fixture
def key(tmp_path: Path) -> str:
    secret = new_key()
    append_key(tmp_path / "keys", Key("phone", digest(secret)))
    return secret


@pytest.fixture
def server(detector: Detector, tmp_path: Path, key: str) -> Iterator[Address]:  # noqa: ARG001
    with running(detector, Access(keys=KeyFile(tmp_path / "keys"))) as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> TlsFiles:
    """A certificate for 127.0.0.1."""
    return issue(authority, "127.0.0.1", tmp_path)


def test_a_length_without_a_key_is_refused_before_the_body(server: Address) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
    connection.putrequest("POST", "/detect")
    connection.putheader("Content-Type", "image/png")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 401
    assert json.load(response)["status"] == 401
    assert response.headers["server"] is None
    connection.close()


@pytest.mark.parametrize(
    ("query", "key_known", "megabytes", "status"),
    [("", False, 8, 401), ("?iou=1", True, 8, 422), ("", True, 40, 413), ("", True, 8, 415)],
)
def test_a_client_that_sends_before_it_reads_still_learns_why(
    query: str, key_known: bool, megabytes: int, status: int, server: Address, key: str
) -> None:
    headers = {"Content-Type": "image/jpeg", "X-API-Key": key if key_known else "dirdet_guessed"}
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
    connection.request("POST", f"/detect{query}", bytes(megabytes * 2**20), headers)  # reads nothing meanwhile
    response = connection.getresponse()
    assert response.status == status
    assert json.load(response)["status"] == status
    connection.close()


def test_a_client_that_waits_to_be_told_sends_no_body(server: Address) -> None:
    with socket.create_connection(server, timeout=PATIENCE_S) as connection:
        head = "POST /detect HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_client_that_never_sends_its_body_is_answered_at_once(server: Address) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
    connection.putrequest("POST", "/detect")
    connection.putheader("Content-Length", "999")
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, json.load(response)["status"]) == (401, 401)
    connection.close()


def test_head_without_a_key_leaves_the_connection_usable(server: Address) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
    for method in ("HEAD", "GET", "HEAD"):
        connection.request(method, "/detector")
        response = connection.getresponse()
        assert response.status == 401
        assert bool(response.read()) is (method == "GET")
    connection.close()


def test_a_key_opens_the_door(server: Address, key: str, rectangles: Rectangles, encode: Encode) -> None:
    files = {"image": ("a.png", encode(rectangles()))}
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(f"{server.url}/detect", files=files, headers=headers, timeout=PATIENCE_S)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


def test_many_at_once_get_no_more_than_the_burst(detector: Detector, tmp_path: Path) -> None:
    secret = new_key()
    append_key(tmp_path / "keys", Key("phone", digest(secret), Rate.parse("1/h", burst=5)))
    statuses: list[int] = []
    with running(detector, Access(keys=KeyFile(tmp_path / "keys"))) as server:

        def ask() -> None:
            answer = httpx.get(f"{server.url}/detector", headers={"X-API-Key": secret}, timeout=PATIENCE_S)
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (statuses.count(200), statuses.count(429)) == (5, 15)


def test_https(
    detector: Detector, tls: TlsFiles, authority: trustme.CA, rectangles: Rectangles, encode: Encode
) -> None:
    tls.check()
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    with running(detector, Access(tls=tls)) as server:
        with httpx.Client(base_url=f"https://{server.authority}", verify=trusted, timeout=PATIENCE_S) as client:
            assert client.post("/detect", files={"image": ("a.png", encode(rectangles()))}).status_code == 200
        with (
            socket.create_connection(server) as plain,
            trusted.wrap_socket(plain, server_hostname=server.host) as encrypted,
        ):
            assert encrypted.version() in ("TLSv1.2", "TLSv1.3")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(server) as plain,
            pytest.raises(ssl.SSLError),
            old.wrap_socket(plain),
        ):
            pass
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.url}/health/live", timeout=PATIENCE_S)


def test_a_forged_address_is_not_believed(detector: Detector, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "uvicorn.access")
    forged = {"X-Forwarded-For": "203.0.113.7"}
    for access, logged in ((Access(), "127.0.0.1:"), (Access(trusted_proxies=("127.0.0.0/8",)), "203.0.113.7:")):
        caplog.clear()
        with running(detector, access) as server:
            httpx.get(f"{server.url}/health/live", headers=forged, timeout=PATIENCE_S)
        assert [record for record in caplog.records if record.getMessage().startswith(logged)]


def test_a_prefix_that_a_proxy_takes_away(detector: Detector, tmp_path: Path, key: str) -> None:
    with running(detector, Access(keys=KeyFile(tmp_path / "keys"), root_path="/vision")) as server:
        assert httpx.get(f"{server.url}/health/ready", timeout=PATIENCE_S).status_code == 200
        assert httpx.get(f"{server.url}/detector", timeout=PATIENCE_S).status_code == 401
        assert httpx.get(f"{server.url}/detector", headers={"X-API-Key": key}, timeout=PATIENCE_S).status_code == 200
        assert "url: '/vision/openapi.json'" in httpx.get(f"{server.url}/docs", timeout=PATIENCE_S).text
