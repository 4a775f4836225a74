"""Bodies that hold one picture without its type: bytes of any type, and JSON; and targets in absolute form."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

Call = Callable[..., httpx.Response]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]


def sent(call: Call, body: Any, media_type: str = "application/json", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return call("POST", "/detect", content=content, headers={"content-type": media_type} | headers)


def test_a_picture_is_the_same_in_every_body(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    picture = encode(rectangles(red=(100, 60, 300, 200)))
    expected = sent(call, picture, "image/png").json()
    encoded = b64encode(picture).decode()
    lines = "\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76))
    assert sent(call, picture, "application/octet-stream").json() == expected
    for text in (encoded, lines, f"data:image/png;base64,{encoded}"):
        answer = sent(call, {"image": text})
        assert answer.status_code == 200
        assert answer.json() == expected
    assert len(expected["images"][0]["detections"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "is not JSON"),
        (b"", 400, "empty"),
        (b"\xff\xfe", 400, "is not JSON"),
        (b"[" * 10_000, 400, "is not JSON"),
        ([], 400, "found list"),
        ({}, 400, "found dict"),
        ({"image": 3}, 400, 'found [\\"image\\"]'),
        ({"image": "aGVsbG8=", "classes": ["red"]}, 400, "classes"),
        ({"image": "no base64!"}, 400, "is not base64"),
        ({"image": ""}, 400, "image is empty"),
        ({"image": "aGVsbG8="}, 415, "expected a JPEG"),
    ],
)
def test_json_of_another_form_is_refused(body: Any, status: int, words: str, call: Call) -> None:
    answer = sent(call, body)
    assert answer.status_code == status
    assert words in answer.text


def test_json_has_the_limits_of_a_picture(call_small: Call) -> None:
    assert sent(call_small, {"image": b64encode(bytes(200_001)).decode()}).status_code == 413
    assert sent(call_small, {"image": "A" * 400_000}).status_code == 413
    assert sent(call_small, {"image": b64encode(bytes(199_999)).decode()}).status_code == 415


def test_a_compressed_body_is_refused_in_its_own_words(call: Call) -> None:
    headers = {"content-encoding": "gzip"}
    answer = call("POST", "/detect", content=b"\x1f\x8b", headers=headers | {"content-type": "image/png"})
    assert answer.status_code == 415
    assert "expected a body without Content-Encoding, found 'gzip'" in answer.json()["detail"]


def asked(app: FastAPI, target: bytes, *, root_path: str = "", host: bytes = b"proxy") -> int:
    """The status of a GET as uvicorn gives it to the app: the path is what h11 read, behind the root path."""
    statuses: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "query_string": b"",
        "path": root_path + target.decode(), "raw_path": root_path.encode() + target, "root_path": root_path,
        "headers": [(b"host", host)], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    anyio.run(app, scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("root_path", ["", "/ai"])
def test_targets_in_absolute_form(app: FastAPI, root_path: str) -> None:
    assert asked(app, b"/detector", root_path=root_path) == 200
    assert asked(app, b"http://server:8000/detector", root_path=root_path) == 200
    assert asked(app, b"HTTP://server/detector", root_path=root_path) == 200
    assert asked(app, b"http://server", root_path=root_path) == 200, "the page"
    assert asked(app, b"http://server/nowhere", root_path=root_path) == 404
