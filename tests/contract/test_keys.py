"""Keys and rate limits, as a client meets them."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import Depends, FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dirdet.detector.detector import Detector
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.authentication import require_admin
from dirdet.gateway.access.key_file import CHECK_EVERY_S, KeyFile, append_key
from dirdet.gateway.access.settings import Access
from dirdet.gateway.app import create_app

Call = Callable[..., httpx.Response]
CallApp = Callable[[FastAPI], Call]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
PNG = {"content-type": "image/png"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_both_ways_to_send_a_key(ask: Call, operator: str, rectangles: Rectangles, encode: Encode) -> None:
    picture = encode(rectangles())
    for headers in (bearer(operator), {"authorization": f"bearer {operator}"}, {"X-API-Key": operator}):
        answer = ask("POST", "/detect", content=picture, headers=PNG | headers)
        assert answer.status_code == 200
        assert answer.json()["images"][0]["detections"]
    # What a proxy sends for itself is passed over.
    both = {"Authorization": "Basic cHJveHk6cHJveHk=", "X-API-Key": operator}
    assert ask("GET", "/detector", headers=both).status_code == 200


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "Authorization: Bearer KEY"),
        ({"Authorization": "Bearer"}, "no key"),
        ({"Authorization": "Basic cHJveHk6cHJveHk="}, "no key"),
        ({"X-API-Key": ""}, "no key"),
        ({"X-API-Key": "dirdet_guessed"}, "unknown"),
        ({"Authorization": "Bearer dirdet_guessed"}, "unknown"),
        ({"Authorization": "Bearer a", "X-API-Key": "b"}, "different keys"),
        ({"X-API-Key": b"\xff\x00"}, "unknown"),
    ],
)
def test_without_a_key_401(headers: dict[str, Any], words: str, ask: Call) -> None:
    answer = ask("POST", "/detect", content=b"picture", headers=PNG | headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="dirdet"')
    assert ("invalid_token" in answer.headers["www-authenticate"]) is (words != "no key" and bool(headers))
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:dirdet:problem:unauthorized"
    assert words in answer.json()["detail"]


def test_a_websocket_is_no_way_round(guarded: FastAPI) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "websocket", "path": "/detector", "headers": []}
    anyio.run(guarded, scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_the_hash_in_the_file_is_no_key(ask: Call, path: Path) -> None:
    shown = path.read_text().split()[1]
    for pretended in (shown, shown.partition(":")[2]):
        assert ask("GET", "/detector", headers=bearer(pretended)).status_code == 401


def test_the_body_is_not_read_without_a_key(ask: Call) -> None:
    async def body() -> Any:
        raise AssertionError("read")
        yield b""

    assert ask("POST", "/detect", content=body(), headers=PNG).status_code == 401


@pytest.mark.parametrize(
    ("path_", "status"),
    [
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/docs/assets/swagger-ui.css", 200),
        ("/page/../detector", 401),
        ("/page/%2e%2e/detector", 404),
        ("/detector", 401),
        ("/nowhere", 401),
        ("/docs/", 401),
        ("/docs/assets", 401),
        ("/health/live/", 401),
        ("/docs/assets/../../detector", 401),
        ("/docs/assets/%2e%2e/%2e%2e/detector", 404),
        ("//health/live", 401),
    ],
)
def test_what_is_open(path_: str, status: int, ask: Call) -> None:
    assert ask("GET", path_).status_code == status


PARTS = [
    "health",
    "live",
    "ready",
    "docs",
    "assets",
    "page",
    "detector",
    "openapi.json",
    "..",
    ".",
    "",
    "%2e%2e",
    ";",
    "\x00",
]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.sampled_from(PARTS), max_size=6),
    root=st.sampled_from(["", "/vision", "/docs", "/health", "/detector", "/docs/assets"]),
    prefixed=st.booleans(),
)
def test_no_path_leads_round_the_door(guarded: FastAPI, parts: list[str], root: str, *, prefixed: bool) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    path = "/" + "/".join(parts)
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": root * prefixed + path, "root_path": root, "headers": [],
        "query_string": b"", "scheme": "http", "server": ("server", 80), "client": ("client", 1), "http_version": "1.1",
    }  # fmt: skip
    anyio.run(guarded, scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    assert b"knows rectangles only" not in body
    if sent[0]["status"] == 200:
        assert any(word in body for word in (b'"status":', b"swagger", b'"openapi":', b"<title>dirdet<"))


def test_without_a_file_everybody_is_let_in_and_nobody_is_admin(detector: Detector, call_app: CallApp) -> None:
    app = create_app(detector)

    @app.get("/change", dependencies=[Depends(require_admin)])
    async def change() -> None: ...  # pyright: ignore[reportUnusedFunction]

    ask = call_app(app)
    assert ask("GET", "/detector").status_code == 200
    assert ask("GET", "/change").status_code == 403


def test_only_an_admin_changes_the_server(ask: Call, phone: str, operator: str) -> None:
    answer = ask("POST", "/change", headers=bearer(phone))
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "'phone' is not one" in answer.json()["detail"]
    assert ask("POST", "/change").status_code == 401
    assert ask("POST", "/change", headers=bearer(operator)).json() == "operator"


def test_a_key_may_ask_as_often_as_its_rate(ask: Call, phone: str, operator: str, clock: Any) -> None:
    left = [ask("GET", "/detector", headers=bearer(phone)).headers["ratelimit"] for _ in range(3)]
    assert left == ['"key";r=2;t=20', '"key";r=1;t=40', '"key";r=0;t=20']
    answer = ask("GET", "/detector", headers={"X-API-Key": phone})
    assert answer.status_code == 429
    assert answer.json()["detail"] == "'phone' may send pictures at 3/min; ask again in 20 s"
    assert answer.headers["retry-after"] == "20"
    assert answer.headers["ratelimit"] == '"key";r=0;t=20'
    assert answer.headers["ratelimit-policy"] == '"key";q=3;w=60'
    # Nobody else's requests count, nor those that were refused.
    free = ask("GET", "/detector", headers=bearer(operator))
    assert free.status_code == 200
    assert "ratelimit" not in free.headers
    clock.now += 20
    assert ask("GET", "/detector", headers=bearer(phone)).status_code == 200
    assert ask("GET", "/detector", headers=bearer(phone)).status_code == 429


def test_every_picture_of_a_request_counts(
    ask: Call, phone: str, clock: Any, rectangles: Rectangles, encode: Encode
) -> None:
    pictures = {"files": [("image", ("a.png", encode(rectangles()))) for _ in range(6)]}
    answer = ask("POST", "/detect", headers=bearer(phone), **pictures)
    assert answer.status_code == 200
    # Three more than its bucket held: they come one in 20 s, and then one to pass.
    assert answer.headers["ratelimit"] == '"key";r=0;t=80'
    for passed_s, status in ((0, 429), (79, 429), (1, 200)):
        clock.now += passed_s
        assert ask("GET", "/detector", headers=bearer(phone)).status_code == status


def test_a_probe_uses_nothing_up(ask: Call, phone: str) -> None:
    for _ in range(5):
        assert "ratelimit" not in ask("GET", "/health/live", headers=bearer(phone)).headers
    assert ask("GET", "/detector", headers=bearer(phone)).headers["ratelimit"] == '"key";r=2;t=20'


def test_a_key_comes_and_goes_without_a_restart(ask: Call, path: Path, phone: str, clock: Any) -> None:
    tablet = new_key()
    append_key(path, Key("tablet", digest(tablet)))
    clock.now += CHECK_EVERY_S
    assert ask("GET", "/detector", headers=bearer(tablet)).status_code == 200
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("phone ")))
    clock.now += CHECK_EVERY_S
    assert ask("GET", "/detector", headers=bearer(phone)).status_code == 401
    assert ask("GET", "/detector", headers=bearer(tablet)).status_code == 200


def test_another_keys_line_does_not_refill_a_bucket(ask: Call, path: Path, phone: str, clock: Any) -> None:
    for _ in range(3):
        ask("GET", "/detector", headers=bearer(phone))
    append_key(path, Key("tablet", digest(new_key())))
    clock.now += CHECK_EVERY_S
    assert ask("GET", "/detector", headers=bearer(phone)).status_code == 429


def test_a_file_that_became_empty_lets_nobody_in(ask: Call, path: Path, operator: str, clock: Any) -> None:
    path.write_text("# nobody\n")
    clock.now += CHECK_EVERY_S
    assert ask("GET", "/detector", headers=bearer(operator)).status_code == 401
    assert ask("GET", "/detector").status_code == 401


def test_a_broken_file_changes_nothing_and_is_told_once(
    ask: Call, path: Path, phone: str, operator: str, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good = path.read_text()
    path.write_text(good + f"tablet {phone}\n")  # the key itself, by mistake
    for _ in range(3):
        clock.now += CHECK_EVERY_S
        assert ask("GET", "/detector", headers=bearer(operator)).status_code == 200
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.levelno == logging.ERROR
    assert f"{path}, line 3: expected sha256:" in record.getMessage()
    assert phone not in caplog.text
    path.unlink()
    clock.now += CHECK_EVERY_S
    assert ask("GET", "/detector", headers=bearer(operator)).status_code == 200
    assert "there is no such file" in caplog.text


def test_a_linked_file_that_is_exchanged(
    tmp_path: Path, detector: Detector, call_app: CallApp, clock: Any, phone: str, operator: str
) -> None:
    # As Kubernetes exchanges mounted secrets: the link leads elsewhere, and the file may be as old and as large.
    for folder, key in (("a", phone), ("b", operator)):
        (tmp_path / folder).mkdir()
        append_key(tmp_path / folder / "keys", Key("it", digest(key)))
        os.utime(tmp_path / folder / "keys", (0, 0))
    (tmp_path / "now").symlink_to("a")
    ask = call_app(create_app(detector, access=Access(keys=KeyFile(tmp_path / "now" / "keys", clock=clock))))
    assert ask("GET", "/detector", headers=bearer(phone)).status_code == 200
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").rename(tmp_path / "now")
    clock.now += CHECK_EVERY_S
    assert ask("GET", "/detector", headers=bearer(phone)).status_code == 401
    assert ask("GET", "/detector", headers=bearer(operator)).status_code == 200


def test_behind_a_proxy_that_takes_a_prefix_away(
    detector: Detector, call_app: CallApp, path: Path, operator: str
) -> None:
    app = create_app(detector, access=Access(keys=KeyFile(path)))

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        # As uvicorn does with root_path.
        await app({**scope, "root_path": "/vision", "path": "/vision" + scope["path"]}, receive, send)

    ask = call_app(behind)  # pyright: ignore[reportArgumentType]
    assert ask("GET", "/health/live").status_code == 200
    assert "'/vision/openapi.json'" in ask("GET", "/docs").text
    assert ask("GET", "/detector").status_code == 401
    assert ask("GET", "/vision/health/live").status_code == 401
    assert ask("GET", "/detector", headers=bearer(operator)).status_code == 200
    assert ask("GET", "/openapi.json").json()["servers"] == [{"url": "/vision"}]


def test_the_log_and_the_metrics_name_the_key(
    ask: Call, call: Call, operator: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="dirdet.request")
    ask("GET", "/detector", headers=bearer(operator))
    ask("GET", "/nowhere", headers=bearer(operator))
    ask("GET", "/nowhere")
    found = [record for record in caplog.records if record.name == "dirdet.request"]
    assert [getattr(record, "key", "") for record in found] == ["operator", "operator", None]
    assert [getattr(record, "path", "") for record in found] == [None, "/nowhere", "/nowhere"]
    assert found[1].getMessage().startswith("GET /nowhere 404 ")
    metrics = ask("GET", "/metrics", headers=bearer(operator)).text
    assert 'dirdet_key_requests_total{http_response_status_code="404",key="operator"} 1.0' in metrics
    assert operator not in metrics
    call("GET", "/a%0Ab%1B[31m" + "c" * 1000)
    last = [record for record in caplog.records if record.name == "dirdet.request"][-1].getMessage()
    assert len(last) < 260
    assert last.isprintable()
