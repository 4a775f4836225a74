"""What a client sends and makes of the answers, without a network."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from dirdet.api.examples import ABOUT, BIRD, DETECTOR
from dirdet.client import (
    BusyError,
    ClientError,
    NoAnswerError,
    PictureProblemError,
    ProblemError,
    Retries,
    TooLargeError,
    UnexpectedAnswerError,
)
from dirdet.client.answers import PROBLEM, Answer
from dirdet.client.pictures import SentPicture
from dirdet.client.protocol import Attempt, Exchange, T, answer_to, ask_ready, describe, detect_group, detect_one
from dirdet.client.requests import Call
from dirdet.client.settings import Settings
from dirdet.errors import NotFoundError, ParameterError, PictureError

CALL = Call("GET", "/detector")
EVEN = Retries(most=3, first_wait_s=1.0, longest_wait_s=3.0, chance=lambda: 1.0)
Reply = Answer | ClientError


def settings(**changed: Any) -> Settings:
    known: dict[str, Any] = {"detector": None, "api_key": "", "timeout_s": 60.0, "retries": EVEN}
    return Settings.checked("http://gateway", **known | changed)


def answer(told: Any = None, *, status: int = 200, **headers: str) -> Answer:
    kind = {} if status == 200 else {"content-type": PROBLEM}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, httpx.Headers(kind | named), json.dumps(told or {}).encode())


def detected(pictures: int) -> Answer:
    image = {"width": 640, "height": 480, "detections": [BIRD.to_json()]}
    return answer({"detector": DETECTOR, "images": [{"name": "x", **image} for _ in range(pictures)]})


def of_size(attempt: Attempt) -> Answer:
    """A gateway that answers each picture with one bird."""
    return detected(len(attempt.call.pictures))


@dataclass
class Wire:
    """Replies to attempts, and keeps them."""

    reply: Callable[[Attempt], Reply]
    attempts: list[Attempt] = field(default_factory=list[Attempt])

    def play(self, exchange: Exchange[T]) -> T:
        try:
            attempt = next(exchange)
            while True:
                self.attempts.append(attempt)
                reply = self.reply(attempt)
                attempt = exchange.throw(reply) if isinstance(reply, ClientError) else exchange.send(reply)
        except StopIteration as end:
            return end.value

    @property
    def waits_s(self) -> list[float]:
        return [each.after_s for each in self.attempts]

    @property
    def sizes(self) -> list[int]:
        return [len(each.call.pictures) for each in self.attempts]


def replying(*replies: Reply) -> Wire:
    left = list(replies)
    return Wire(lambda _: left.pop(0))


def pictures(*names: str, error: PictureError | None = None) -> list[SentPicture]:
    return [SentPicture(name, b"" if error else b"picture", error) for name in names]


def test_one_attempt_where_the_first_is_answered() -> None:
    wire = replying(answer({"a": 1}))
    assert wire.play(answer_to(settings(), CALL, None)).json() == {"a": 1}
    assert wire.waits_s == [0.0]
    assert wire.attempts[0].call is CALL
    assert 59 < wire.attempts[0].deadline.left_s <= 60


def test_waits_before_further_attempts_and_the_last_failure() -> None:
    lost = [NoAnswerError(f"lost {number}") for number in range(4)]
    wire = replying(*lost)
    with pytest.raises(NoAnswerError, match="lost 3"):
        wire.play(answer_to(settings(), CALL, None))
    assert wire.waits_s == [0.0, 1.0, 2.0, 3.0]
    assert len({id(each.deadline) for each in wire.attempts}) == 1


def test_a_server_says_when_to_come_back() -> None:
    wire = replying(answer(status=503, retry_after="7"), answer({"ok": True}))
    assert wire.play(answer_to(settings(), CALL, None)).ok
    assert wire.waits_s == [0.0, 7 * 1.25]


def test_no_attempt_that_would_begin_too_late() -> None:
    wire = replying(answer({"detail": "full"}, status=503, retry_after="7"))
    with pytest.raises(BusyError, match="full"):
        wire.play(answer_to(settings(), CALL, 5.0))
    assert wire.waits_s == [0.0]


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 504, 302])
def test_one_attempt_where_another_would_fail_alike(status: int) -> None:
    wire = replying(answer({"detail": "no"}, status=status))
    with pytest.raises(ClientError):
        wire.play(answer_to(settings(), CALL, None))
    assert len(wire.attempts) == 1


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_a_time_that_is_none_is_refused_before_anything_is_sent(timeout_s: float) -> None:
    wire = replying()
    for exchange in (answer_to(settings(), CALL, timeout_s), ask_ready(timeout_s)):
        with pytest.raises(ParameterError, match="timeout_s: expected seconds above 0"):
            wire.play(exchange)
    assert not wire.attempts


def test_one_picture() -> None:
    wire = Wire(of_size)
    found = wire.play(detect_one(settings(detector="scenes"), pictures("a.png")[0], None, {"min_iou": 0.5}))
    assert (found.name, found.width, found.detections) == ("a.png", 640, (BIRD,))
    call = wire.attempts[0].call
    assert (call.method, call.path, str(call.query)) == ("POST", "/detectors/scenes/detect", "min_iou=0.5")


def test_one_picture_without_bytes_is_not_sent() -> None:
    wire = replying()
    missing = NotFoundError("there is no such file: a.png")
    with pytest.raises(NotFoundError):
        wire.play(detect_one(settings(), pictures("a.png", error=missing)[0], None, {}))
    assert not wire.attempts


def test_unreadable_pictures_keep_their_places_and_are_not_sent() -> None:
    missing = NotFoundError("there is no such file")
    group = pictures("a", error=missing) + pictures("b", "c") + pictures("d", error=missing)
    wire = Wire(of_size)
    found = wire.play(detect_group(settings(), group, None, {}))
    assert [(each.name, each.error, len(each)) for each in found] == [
        ("a", missing, 0),
        ("b", None, 1),
        ("c", None, 1),
        ("d", missing, 0),
    ]
    assert wire.sizes == [2]


@pytest.mark.parametrize("group", [[], pictures("a", "b", error=NotFoundError("gone"))])
def test_nothing_to_send(group: list[SentPicture]) -> None:
    wire = replying()
    assert len(wire.play(detect_group(settings(), group, None, {}))) == len(group)
    assert not wire.attempts


def test_what_is_too_large_is_halved_until_it_fits() -> None:
    names = [f"{number}.png" for number in range(7)]
    wire = Wire(lambda attempt: answer(status=413) if len(attempt.call.pictures) > 2 else of_size(attempt))
    found = wire.play(detect_group(settings(), pictures(*names), None, {}))
    assert [each.name for each in found] == names
    assert wire.sizes == [7, 3, 1, 2, 4, 2, 2]


def test_one_picture_that_is_too_large_for_a_proxy_ends_it() -> None:
    wire = Wire(lambda _: answer({"detail": "1 MiB at most"}, status=413))
    with pytest.raises(TooLargeError, match="1 MiB"):
        wire.play(detect_group(settings(), pictures("a", "b"), None, {}))
    assert wire.sizes == [2, 1]


def test_a_group_of_which_no_picture_can_be_read() -> None:
    broken: Mapping[str, Any] = {"type": "urn:dirdet:problem:broken-picture", "detail": "truncated"}
    problem = {"images": [{"name": "x", "error": broken}] * 2, "detail": "none can be read"}
    found = replying(answer(problem, status=400)).play(detect_group(settings(), pictures("a", "b"), None, {}))
    assert [(each.name, type(each.error), str(each.error)) for each in found] == [
        (name, PictureProblemError, "truncated") for name in "ab"
    ]


def test_a_problem_about_something_else_than_pictures() -> None:
    wire = replying(answer({"detail": "unknown class", "images": [{"name": "x"}]}, status=422))
    with pytest.raises(ProblemError, match="unknown class"):
        wire.play(detect_group(settings(), pictures("a", "b"), None, {}))


def test_an_answer_about_another_number_of_pictures() -> None:
    with pytest.raises(UnexpectedAnswerError, match="POST /detect"):
        replying(detected(1)).play(detect_group(settings(), pictures("a", "b"), None, {}))


def test_a_description_is_checked() -> None:
    assert replying(answer(ABOUT)).play(describe(settings(), None)).name == "scenes"
    with pytest.raises(UnexpectedAnswerError, match="GET /detector"):
        replying(answer({"name": "scenes"})).play(describe(settings(), None))


@pytest.mark.parametrize(
    ("reply", "ready"), [(answer(), True), (answer(status=503), False), (NoAnswerError("refused"), False)]
)
def test_ready_is_asked_once(reply: Reply, ready: bool) -> None:
    wire = replying(reply)
    assert wire.play(ask_ready(5.0)) is ready
    assert [(each.call.path, each.after_s) for each in wire.attempts] == [("/health/ready", 0.0)]


def test_no_time_passes() -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswerError):
        replying(*[NoAnswerError("lost")] * 4).play(answer_to(settings(), CALL, None))
    assert time.monotonic() - began < 0.5
