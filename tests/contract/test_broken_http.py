"""What no client should send, byte for byte: refused as a problem or by the HTTP parser, and the server goes on."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse

import pytest
from loopback import Address, serving
from waiting import PATIENCE_S

from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app

HOST = b"Host: x\r\nConnection: close\r\n"
PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="%s"\r\n\r\nabc\r\n'
FIELD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
END = b"--x--\r\n"


@pytest.fixture
def address(detector: Detector) -> Iterator[Address]:
    with serving(create_app(detector)) as address:
        yield address


def form(body: bytes, *, boundary: bytes = b"x", headers: bytes = b"") -> bytes:
    announced = b"Content-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n" % (boundary, len(body))
    return b"POST /detect HTTP/1.1\r\n" + HOST + headers + announced + b"\r\n" + body


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /detect HTTP/1.1\r\nContent-Type: image/png\r\n" + HOST + headers + b"\r\n" + body


def get(path: bytes, headers: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n"


def ask(address: Address, request: bytes) -> tuple[int, str, bytes]:
    """Status, content type and body of the first answer."""
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        connection.sendall(request)
        with HTTPResponse(connection) as response:
            response.begin()
            return response.status, response.getheader("content-type", ""), response.read()


FORMS = {
    "thousands of pictures": (form(PART % b"a" * 5000 + END), 413),
    "thousands of fields": (form(FIELD * 5000 + END), 400),
    "a huge header of a part": (form(PART % (b"a" * 2_000_000) + END), 400),
    "many headers of a part": (form(b"--x\r\n" + b"A: b\r\n" * 100_000 + b"\r\nabc\r\n" + END), 400),
    "a part without headers": (form(b"--x\r\n\r\nabc\r\n" + END), 400),
    "no boundary": (form(b"abc", boundary=b""), 400),
    "a boundary that does not come": (form(b"abc", boundary=b"y" * 10_000), 400),
    "no ASCII in the boundary": (form(b"abc", boundary=b"\xff"), 400),
    "no text as a name": (form(PART % b"\xff\xfe" + END), 415),
    "a path as a name": (form(PART % b"../../etc/passwd" + END), 415),
    "a charset that is none": (form(PART % b"a" + END, boundary=b"x; charset=rot13"), 415),
    "no end": (form(PART % b"a"), 400),
    "something before the first part": (form(b"junk\r\n" + PART % b"a" + END), 400),
    "weights that are no numbers": (form(PART % b"a" + END, headers=b"Accept: a/b;q=nan, */*;q=x\r\n"), 406),
    "a timeout in other digits": (form(PART % b"a" + END, headers=b"X-Request-Timeout-Ms: \xb2\r\n"), 422),
}
PARSED = {
    "two lengths": post(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"ab"),
    "a negative length": post(b"Content-Length: -1\r\n"),
    "a length of thousands of digits": post(b"Content-Length: " + b"9" * 5000 + b"\r\n"),
    "a chunk of no size": post(b"Transfer-Encoding: chunked\r\n", b"ZZ\r\nab\r\n"),
    "a chunk without measure": post(b"Transfer-Encoding: chunked\r\n", b"f" * 30 + b"\r\nab\r\n"),
    "a flood of headers": get(b"/detector", b"A: b\r\n" * 100_000),
    "a header without end": b"GET /detector HTTP/1.1\r\nA: " + b"b" * 2_000_000,
    "a path that is no ASCII": get(b"/\xff"),
    "a path with a null": get(b"/\0"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
}
PATHS = (
    *(b"../app.py", b"..%2f..%2fapp.py", b"%2e%2e/%2e%2e/app.py", b"..\\..\\app.py", b"%00", b"icon.svg%00.css"),
    *(b"a" * 5000, b"%ff%fe", b"/etc/passwd", b"%2fetc%2fpasswd", b"./", b"", b"js", b"%ed%a0%80"),
)


@pytest.mark.parametrize("what", FORMS)
def test_a_broken_form_is_a_problem(what: str, address: Address) -> None:
    request, expected = FORMS[what]
    status, media_type, _ = ask(address, request)
    assert (status, media_type) == (expected, "application/problem+json")


@pytest.mark.parametrize("what", PARSED)
def test_what_is_no_http_is_refused(what: str, address: Address) -> None:
    with suppress(ConnectionError):  # closed while it was still being sent
        assert ask(address, PARSED[what])[0] == 400
    assert ask(address, get(b"/health/live"))[0] == 200


@pytest.mark.parametrize("folder", [b"/page/", b"/docs/assets/"])
@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_the_pages_files(folder: bytes, path: bytes, address: Address) -> None:
    status, media_type, _ = ask(address, get(folder + path))
    assert (status, media_type) == (404, "application/problem+json")


def test_two_hundred_requests_in_one_piece_are_all_answered(address: Address) -> None:
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        one = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(one * 199 + get(b"/health/live"))
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answers.count(b"HTTP/1.1 200 OK") == 200
