"""Callers of a gateway: as many at once as told, or so many a second whether they are answered or not."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from dirdet.deadline import HEADER

# A caller that waits longer than this was forgotten.
FORGOTTEN_S = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """How one request ended.

    Attributes:
        status: of the answer; 0 if there was none.
        seconds: from connecting to the last byte of the answer.
        ended_s: when, by `time.perf_counter`.
    """

    status: int
    seconds: float
    ended_s: float


async def call(
    port: int, body: bytes, *, timeout_s: float | None = None, right: Callable[[Any], bool] | None = None
) -> Call:
    """One POST /detect on a connection of its own to this machine.

    Args:
        port: of the gateway.
        body: a JPEG file.
        timeout_s: that the request asks for.
        right: whether the answer's content is; one that is wrong counts as none.
    """
    begun_s = time.perf_counter()
    try:
        async with asyncio.timeout(FORGOTTEN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                head = (
                    "POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n"
                )
                if timeout_s is not None:
                    head += f"{HEADER}: {round(1000 * timeout_s)}\r\n"
                writer.write(head.encode() + b"\r\n" + body)
                answer = await reader.read()
            finally:
                writer.close()
        status = int(answer.split(b" ", 2)[1])
        if status == 200:
            content = json.loads(answer.partition(b"\r\n\r\n")[2])
            if right is not None and not right(content):
                status = 0
    except (OSError, ValueError, IndexError):
        status = 0
    ended_s = time.perf_counter()
    return Call(status, ended_s - begun_s, ended_s)


async def closed_loop(
    port: int,
    bodies: Sequence[bytes],
    *,
    callers: int,
    seconds: float,
    right: Callable[[Any], bool] | None = None,
) -> float:
    """Answered requests a second, of callers each of whom asks again as soon as it is answered; see `call`."""
    end_s = time.perf_counter() + seconds
    bodies_in_turn = cycle(bodies)
    answered = 0

    async def ask() -> None:
        nonlocal answered
        while time.perf_counter() < end_s:
            found = await call(port, next(bodies_in_turn), right=right)
            answered += found.status == 200

    begun_s = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(callers)))
    return answered / (time.perf_counter() - begun_s)


async def open_loop(
    port: int, bodies: Sequence[bytes], *, per_second: float, seconds: float, timeout_s: float
) -> list[Call]:
    """How the requests ended that came at this rate, evenly, whatever became of those before."""
    calls: list[asyncio.Task[Call]] = []
    bodies_in_turn = cycle(bodies)
    begun_s = time.perf_counter()
    for number in range(round(per_second * seconds)):
        await asyncio.sleep(max(begun_s + number / per_second - time.perf_counter(), 0))
        calls.append(asyncio.create_task(call(port, next(bodies_in_turn), timeout_s=timeout_s)))
    return list(await asyncio.gather(*calls))
