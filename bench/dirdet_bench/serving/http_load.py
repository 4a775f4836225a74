"""Callers of POST /detect: a number of them at once, or a rate that does not wait for answers."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from typing import Any, NamedTuple

from dirdet.gateway.http.request_parameters import TIMEOUT_HEADER

# A request that gets no answer within this has failed.
ANSWER_S = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """How one request ended.

    Attributes:
        status: of the answer; 0 if there was none.
        seconds: from asking, or connecting if no connection is free, to the last byte of the answer.
        ended_s: when, by `time.perf_counter`.
    """

    status: int
    seconds: float
    ended_s: float


class _Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Caller:
    """Asks one gateway on this machine, over connections that stay open and are used again, as a proxy does."""

    def __init__(self, port: int, *, is_right: Callable[[Any], bool] | None = None) -> None:
        """Connects when it is first asked to call; an answer whose JSON is not right counts as none."""
        self._port = port
        self._is_right = is_right
        self._idle: list[_Connection] = []

    async def call(self, body: bytes, *, timeout_s: float | None = None) -> Call:
        """Sends one POST /detect of a JPEG file; `timeout_s` is that of the header."""
        head = (
            f"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
        )
        if timeout_s is not None:
            head += f"{TIMEOUT_HEADER}: {round(1000 * timeout_s)}\r\n"
        begun_s = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_S):
                status, content = await self._ask(head.encode() + b"\r\n" + body)
            if status == 200 and self._is_right is not None and not self._is_right(json.loads(content)):
                status = 0
        except (OSError, ValueError, asyncio.IncompleteReadError):
            status = 0
        ended_s = time.perf_counter()
        return Call(status, ended_s - begun_s, ended_s)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().writer.close()

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        while self._idle:
            try:
                return await self._ask_on(self._idle.pop(), request)
            except (OSError, asyncio.IncompleteReadError):
                continue  # the gateway closed it while it was idle
        return await self._ask_on(_Connection(*await asyncio.open_connection("127.0.0.1", self._port)), request)

    async def _ask_on(self, connection: _Connection, request: bytes) -> tuple[int, bytes]:
        kept = False
        try:
            connection.writer.write(request)
            head = (await connection.reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"\r\ncontent-length: *(\d+)", head)
            content = await connection.reader.readexactly(0 if length is None else int(length[1]))
            kept = b"\r\nconnection: close" not in head
        finally:
            if kept:
                self._idle.append(connection)
            else:
                connection.writer.close()
        return int(head.split(b" ", 2)[1]), content


async def closed_loop(
    port: int, bodies: Sequence[bytes], *, callers: int, seconds: float, is_right: Callable[[Any], bool] | None = None
) -> float:
    """Answered requests a second, of callers each of which sends the next request after the answer; see `Caller`."""
    end_s = time.perf_counter() + seconds
    bodies_in_turn = cycle(bodies)
    answered = 0

    async def ask() -> None:
        nonlocal answered
        while time.perf_counter() < end_s:
            found = await caller.call(next(bodies_in_turn))
            answered += found.status == 200

    begun_s = time.perf_counter()
    with closing(Caller(port, is_right=is_right)) as caller:
        await asyncio.gather(*(ask() for _ in range(callers)))
    return answered / (time.perf_counter() - begun_s)


async def open_loop(
    port: int, bodies: Sequence[bytes], *, per_second: float, seconds: float, timeout_s: float
) -> list[Call]:
    """How requests end that are sent at an even rate, whatever becomes of those before."""
    calls: list[asyncio.Task[Call]] = []
    bodies_in_turn = cycle(bodies)
    begun_s = time.perf_counter()
    with closing(Caller(port)) as caller:
        for number in range(round(per_second * seconds)):
            await asyncio.sleep(max(begun_s + number / per_second - time.perf_counter(), 0))
            calls.append(asyncio.create_task(caller.call(next(bodies_in_turn), timeout_s=timeout_s)))
        return list(await asyncio.gather(*calls))
