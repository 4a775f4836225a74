"""Whatever a caller passes, a client answers with an error of dirdet's own."""

import asyncio
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from dirdet import AsyncClient, Client
from dirdet.errors import DirdetError


class Failing:
    """A file whose reading fails in a way of its own."""

    def read(self) -> bytes:
        raise ZeroDivisionError("broken device")


class Pathless:
    def __fspath__(self) -> str:
        raise KeyError("no path")


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")

    __str__ = __repr__


ODD: list[Any] = [
    *(
        None,
        True,
        3,
        -1,
        2.5,
        float("nan"),
        float("inf"),
        1j,
        Fraction(1, 3),
        "",
        "\x00",
        "\udcff.jpg",
        "a\nb",
        "\u2028",
    ),
    *(b"", b"\xff", object(), Failing(), Pathless(), Unprintable(), [], {}, (), [None], {"a": 1}, "x" * 5000),
    *("https://example.org/a.jpg", "ftp://x", "http://", "http://[", "/", int, lambda: None),
    *(np.zeros((2, 2)), np.zeros((0, 3, 3), np.uint8), np.array(["a"]), np.float32(1), 10**400),
]
IDS = [str(number) for number in range(len(ODD))]


def refuse(_: httpx.Request) -> httpx.Response:
    return httpx.Response(422, json={"detail": "no"}, headers={"content-type": "application/problem+json"})


def outcome(call: Callable[[], Any]) -> None:
    """Runs a call, which must return or raise an error that a user may see, in words that can be printed."""
    try:
        call()
    except DirdetError as exc:
        str(exc).encode()


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_an_odd_picture_or_parameter(odd: Any) -> None:
    client = Client("http://server", transport=httpx.MockTransport(refuse), retries=0)
    outcome(lambda: client.detect(odd))
    outcome(lambda: client.detect(b"x", name=odd))
    outcome(lambda: client.detect(b"x", timeout_s=odd))
    outcome(lambda: client.detect_many(odd))
    outcome(lambda: list(client.detect_iter([odd])))
    outcome(lambda: list(client.detect_iter([b"x", odd, b"y"], per_request=odd)))
    parameters: list[Any] = [{name: odd} for name in ("score_threshold", "max_detections", "classes")]
    parameters.append({"classes": [odd]})
    for each in parameters:
        outcome(lambda each=each: client.detect(b"x", **each))


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_an_odd_setting(odd: Any) -> None:
    for name in ("base_url", "detector", "api_key", "timeout_s", "retries"):
        outcome(lambda name=name: Client(**{name: odd}))
        outcome(lambda name=name: AsyncClient(**{name: odd}))


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_an_odd_picture_of_the_client_for_asyncio(odd: Any) -> None:
    async def ask() -> None:
        async with AsyncClient("http://server", transport=httpx.MockTransport(refuse), retries=0) as client:
            for call in (
                lambda: client.detect(odd),
                lambda: client.detect_many([odd]),
                lambda: client.detect_many(odd),
            ):
                try:
                    await call()
                except DirdetError as exc:
                    str(exc).encode()

    asyncio.run(ask())


def test_a_name_that_is_no_unicode_is_sent_without_what_it_is_not(tmp_path: Path) -> None:
    """A file's name on Linux is bytes, which Python gives as lone surrogates where they are not UTF-8."""
    names: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        names.append(request.content)
        return refuse(request)

    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    path.write_bytes(b"picture")
    client = Client("http://server", transport=httpx.MockTransport(answer), retries=0)
    outcome(lambda: list(client.detect_iter([path])))
    assert b'filename="caf?.jpg"' in names[0]


def test_an_address_in_place_of_a_picture_is_named() -> None:
    client = Client("http://server", transport=httpx.MockTransport(refuse), retries=0)
    [result] = client.detect_many(["https://example.org/a.jpg"])
    assert "is an address, and the client sends files: download it first" in str(result.error)
