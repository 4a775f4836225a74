"""When the gateway is busy, slow, gone, or something else: how often a client asks, and how long."""

import asyncio
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
import uvicorn
from PIL import Image
from waiting import until

from dirdet import AsyncClient, Client
from dirdet.api.problems import KINDS, problem_of
from dirdet.client import (
    AccessError,
    BusyError,
    ClientError,
    ImageResult,
    NoAnswerError,
    PictureProblemError,
    ProblemError,
    Retries,
    TimedOutError,
    TooLargeError,
    UnexpectedAnswerError,
)
from dirdet.client.errors import error_from
from dirdet.client.retries import retry_after_s
from dirdet.commands.serve import listen
from dirdet.detector.detector import Detector
from dirdet.errors import NotFoundError, ParameterError, PictureError, UnreadableError
from dirdet.gateway.app import create_app

Rectangles = Callable[..., Image.Image]
PROBLEM = {"content-type": "application/problem+json"}
BUSY = (429, PROBLEM, b'{"type": "urn:dirdet:problem:too-many", "title": "Busy", "status": 429, "detail": "later"}')
OTHERS: list[Any] = [
    ((401, PROBLEM, b'{"detail": "no key"}'), AccessError, "no key"),
    ((403, PROBLEM, b'{"detail": "not this"}'), AccessError, "not this"),
    ((413, {}, b"<html>nginx</html>"), TooLargeError, "nginx"),
    ((500, PROBLEM, b'{"detail": "oops", "instance": "urn:uuid:1"}'), ProblemError, "oops"),
    ((504, PROBLEM, b'{"detail": "too late"}'), ProblemError, "too late"),
    ((404, {}, b"nothing here"), ProblemError, "nothing here"),
    ((302, {"location": "/login"}, b""), UnexpectedAnswerError, "302"),
    ((200, {}, b"<html>welcome</html>"), UnexpectedAnswerError, "welcome"),
    ((200, {}, b"[" * 100_000), UnexpectedAnswerError, "begins"),
    ((200, {}, b"[1]"), UnexpectedAnswerError, "object"),
    ((200, {}, b"{}"), UnexpectedAnswerError, "KeyError"),
    (
        (200, {}, b'{"detector": {"name": "", "checkpoint_sha256": ""}, "images": []}'),
        UnexpectedAnswerError,
        "POST /detect",
    ),
    ((422, PROBLEM, b'{"images": [1], "errors": {"a": 1}, "status": "x", "detail": 3}'), ProblemError, "3"),
    ((400, PROBLEM, b"broken"), UnexpectedAnswerError, "broken"),
]
NOWHERE = "http://127.0.0.1:9"  # the discard service's port, on which nobody listens


def detect_waiting(url: str, picture: Image.Image, **options: Any) -> ImageResult:
    with Client(url, **options) as client:
        return client.detect(picture)


def detect_in_asyncio(url: str, picture: Image.Image, **options: Any) -> ImageResult:
    async def ask() -> ImageResult:
        async with AsyncClient(url, **options) as client:
            return await client.detect(picture)

    return asyncio.run(ask())


@pytest.fixture(params=[detect_waiting, detect_in_asyncio])
def detect(request: pytest.FixtureRequest) -> Callable[..., ImageResult]:
    return request.param


Detect = Callable[..., ImageResult]


def with_headers(answer: tuple[int, dict[str, str], bytes], **headers: str) -> tuple[int, dict[str, str], bytes]:
    return answer[0], answer[1] | {name.replace("_", "-"): value for name, value in headers.items()}, answer[2]


@pytest.mark.parametrize("status", [429, 502, 503])
def test_busy_is_tried_again(status: int, detect: Detect, between: Any, url: str, rectangles: Rectangles) -> None:
    between.answers = [(status, {}, b"<html>later</html>")] * 2
    assert detect(url, rectangles(), retries=Retries(first_wait_s=0.01)).labels == ["red"]
    assert len(between.requests) == 3


def test_retry_after_is_waited_for(detect: Detect, between: Any, url: str, rectangles: Rectangles) -> None:
    between.answers = [with_headers(BUSY, retry_after="1")]
    begun = time.monotonic()
    assert detect(url, rectangles()).labels == ["red"]
    assert time.monotonic() - begun >= 1


def test_retries_are_bounded(detect: Detect, between: Any, url: str, rectangles: Rectangles) -> None:
    between.answers = [BUSY] * 9
    with pytest.raises(BusyError, match="later") as caught:
        detect(url, rectangles(), retries=Retries(most=2, first_wait_s=0.01))
    assert len(between.requests) == 3
    assert (caught.value.status, caught.value.title) == (429, "Busy")


def test_no_wait_beyond_the_callers_time(detect: Detect, between: Any, url: str, rectangles: Rectangles) -> None:
    between.answers = [with_headers(BUSY, retry_after="300")]
    begun = time.monotonic()
    with pytest.raises(BusyError) as caught:
        detect(url, rectangles(), timeout_s=200)
    assert time.monotonic() - begun < 100
    assert caught.value.retry_after_s == 300


@pytest.mark.parametrize("how", ["silent", "dripping"])
def test_a_slow_server_is_given_up_in_time(
    how: str, detect: Detect, between: Any, url: str, rectangles: Rectangles
) -> None:
    between.delay_s, between.drip = (600, False) if how == "silent" else (0, True)
    begun = time.monotonic()
    with pytest.raises(TimedOutError, match=r"within 2 s"):
        detect(url, rectangles(), timeout_s=2)
    assert time.monotonic() - begun < 100
    # On a machine that is busy with other work the client may give up before the server has read a byte.
    until(lambda: between.requests)
    assert len(between.requests) == 1


def test_the_server_is_told_what_is_left(detect: Detect, between: Any, url: str, rectangles: Rectangles) -> None:
    between.answers = [with_headers(BUSY, retry_after="1")]
    detect(url, rectangles(), timeout_s=200)
    first, second = (int(each["x-request-timeout-ms"]) for each in between.requests)
    assert 100_000 < first <= 200_000
    assert first - second >= 1000


def test_nobody_there(detect: Detect, rectangles: Rectangles) -> None:
    with pytest.raises(NoAnswerError, match=NOWHERE):
        detect(NOWHERE, rectangles(), retries=Retries(most=1, first_wait_s=0.01))
    with pytest.raises(NoAnswerError):
        detect("http://no-such-host.invalid", rectangles(), retries=0)


def test_a_lost_connection_is_tried_again(detect: Detect, detector: Detector, rectangles: Rectangles) -> None:
    with listen("127.0.0.1", 0) as listener:
        running = uvicorn.Server(uvicorn.Config(create_app(detector), log_config=None))

        def lose_one_then_serve() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.close()
            running.run(sockets=[listener])

        thread = threading.Thread(target=lose_one_then_serve)
        thread.start()
        host, port = listener.getsockname()
        assert detect(f"http://{host}:{port}", rectangles()).labels == ["red"]
        running.should_exit = True
        thread.join()


@pytest.mark.parametrize(("answer", "expected", "words"), OTHERS)
def test_what_else_may_come(
    answer: Any, expected: type[ClientError], words: str, detect: Detect, between: Any, url: str, rectangles: Rectangles
) -> None:
    between.answers = [answer]
    with pytest.raises(expected, match=words):
        detect(url, rectangles())
    assert len(between.requests) == 1


def test_the_key_is_sent_and_never_shown(
    between: Any, url: str, rectangles: Rectangles, monkeypatch: pytest.MonkeyPatch
) -> None:
    detect_waiting(url, rectangles())
    assert "authorization" not in between.requests[-1]
    monkeypatch.setenv("DIRDET_API_KEY", "from-environment")
    detect_waiting(url, rectangles())
    assert between.requests[-1]["authorization"] == "Bearer from-environment"
    with Client(url, api_key="secret") as client:
        client.ready()
        assert between.requests[-1]["authorization"] == "Bearer secret"
        assert "secret" not in f"{client!r} {vars(client)!r}"
    for key in ("with space", "new\nline", "ümlaut"):
        with pytest.raises(ParameterError, match="api_key") as caught:
            Client(url, api_key=key)
        assert key not in str(caught.value)


def test_a_gateway_that_asks_for_keys(url_guarded: tuple[str, str], detect: Detect, rectangles: Rectangles) -> None:
    url, key = url_guarded
    with pytest.raises(AccessError) as refused:
        detect(url, rectangles())
    assert refused.value.status == 401
    for _ in range(2):
        assert detect(url, rectangles(), api_key=key).labels == ["red"]
    with pytest.raises(BusyError) as passed:
        detect(url, rectangles(), api_key=key, timeout_s=200)
    assert passed.value.status == 429
    assert passed.value.retry_after_s is not None
    assert passed.value.retry_after_s > 200


def test_settings_that_are_none() -> None:
    with pytest.raises(ParameterError, match="expected http://HOST:PORT"):
        Client("localhost:8000")
    for timeout_s in (0, -1, float("nan")):
        with pytest.raises(ParameterError, match="timeout_s"):
            Client(timeout_s=timeout_s)
    for per_request in (0, 65):
        with pytest.raises(ParameterError, match="1 to 64"):
            Client().detect_iter([], per_request=per_request)
    with pytest.raises(ParameterError, match="concurrency"):
        AsyncClient().detect_iter([], concurrency=0)


def test_every_problem_about_a_picture_has_its_type() -> None:
    ours = {NotFoundError, UnreadableError}  # of files on this machine
    for cls in {each for each in KINDS if issubclass(each, PictureError)} - ours:
        told = problem_of(cls("what was found"))
        error = error_from(told.to_json())
        assert isinstance(error, PictureProblemError)
        assert (error.status, error.type, error.title, error.detail) == (
            told.status,
            told.type,
            told.title,
            told.detail,
        )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("3", 3), ("-3", None), ("1e9", None), ("soon", None), ("٣", None)],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds


def test_retry_after_a_date() -> None:
    assert retry_after_s(formatdate(time.time() + 1000, usegmt=True)) == pytest.approx(1000, abs=100)
    assert retry_after_s(formatdate(time.time() - 1000, usegmt=True)) == 0


def test_waits_double_up_to_the_longest_and_differ() -> None:
    low, high = Retries(chance=lambda: 0.0), Retries(chance=lambda: 1.0)
    failure = NoAnswerError("gone")
    assert [high.wait_s(failure, tried=n, left_s=99) for n in range(1, 6)] == [0.2, 0.4, 0.8, 1.6, None]
    assert low.wait_s(failure, tried=1, left_s=99) == 0.1
    assert Retries(most=99, chance=lambda: 1.0).wait_s(failure, tried=50, left_s=99) == 5
    assert high.wait_s(failure, tried=1, left_s=0.2) is None
    assert high.wait_s(TimedOutError("late"), tried=1, left_s=99) is None
