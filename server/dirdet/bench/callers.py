"""Callers of a gateway: as many at once as told, or so many a second whether they are answered or not."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from typing import Any, NamedTuple

from dirdet.deadline import HEADER

# A caller that waits longer than this was forgotten.
FORGOTTEN_S = 60.0


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


class Caller:
    """Asks one gateway on this machine, over connections that stay open and are used again, as a proxy does."""

    def __init__(self, port: int, *, right: Callable[[Any], bool] | None = None) -> None:
        """Connects when first asked to call.

        Args:
            port: of the gateway.
            right: whether the answer's content is; one that is wrong counts as none.
        """
        self._port = port
        self._right = right
        self._idle: list[_Connection] = []

    async def call(self, body: bytes, *, timeout_s: float | None = None) -> Call:
        """One POST /detect.

        Args:
            body: a JPEG file.
            timeout_s: that the request asks for.
        """
        head = (
            f"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
        )
        if timeout_s is not None:
            head += f"{HEADER}: {round(1000 * timeout_s)}\r\n"
        begun_s = time.perf_counter()
        try:
            async with asyncio.timeout(FORGOTTEN_S):
                status, content = await self._asked(head.encode() + b"\r\n" + body)
            if status == 200 and self._right is not None and not self._right(json.loads(content)):
                status = 0
        except (OSError, ValueError, asyncio.IncompleteReadError):
            status = 0
        ended_s = time.perf_counter()
        return Call(status, ended_s - begun_s, ended_s)

    def close(self) -> None:
        """Closes what is open."""
        while self._idle:
            self._idle.pop().writer.close()

    async def _asked(self, request: bytes) -> tuple[int, bytes]:
        while self._idle:
            try:
                return await self._on(self._idle.pop(), request)
            except (OSError, asyncio.IncompleteReadError):
                continue  # it was closed while nobody used it
        return await self._on(_Connection(*await asyncio.open_connection("127.0.0.1", self._port)), request)

    async def _on(self, connection: "_Connection", request: bytes) -> tuple[int, bytes]:
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


class _Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def closed_loop(
    port: int,
    bodies: Sequence[bytes],
    *,
    callers: int,
    seconds: float,
    right: Callable[[Any], bool] | None = None,
) -> float:
    """Answered requests a second, of callers each of whom asks again as soon as it is answered; see `Caller`."""
    end_s = time.perf_counter() + seconds
    bodies_in_turn = cycle(bodies)
    answered = 0

    async def ask() -> None:
        nonlocal answered
        while time.perf_counter() < end_s:
            found = await caller.call(next(bodies_in_turn))
            answered += found.status == 200

    begun_s = time.perf_counter()
    with closing(Caller(port, right=right)) as caller:
        await asyncio.gather(*(ask() for _ in range(callers)))
    return answered / (time.perf_counter() - begun_s)


async def open_loop(
    port: int, bodies: Sequence[bytes], *, per_second: float, seconds: float, timeout_s: float
) -> list[Call]:
    """How the requests ended that came at this rate, evenly, whatever became of those before."""
    calls: list[asyncio.Task[Call]] = []
    bodies_in_turn = cycle(bodies)
    begun_s = time.perf_counter()
    with closing(Caller(port)) as caller:
        for number in range(round(per_second * seconds)):
            await asyncio.sleep(max(begun_s + number / per_second - time.perf_counter(), 0))
            calls.append(asyncio.create_task(caller.call(next(bodies_in_turn), timeout_s=timeout_s)))
        return list(await asyncio.gather(*calls))
