"""The client for asyncio."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import httpx

from dirdet.client.answers import Answer
from dirdet.client.errors import ClientError
from dirdet.client.groups import Grouping
from dirdet.client.pictures import SentPicture, read, refuse_one
from dirdet.client.protocol import Attempt, Exchange, T, ask_ready, describe, detect_group, detect_one, new_shrinking
from dirdet.client.requests import transport_failure
from dirdet.client.result import PictureResult
from dirdet.client.retries import Retries
from dirdet.client.settings import (
    CONNECT_S,
    DEFAULT_URL,
    PER_REQUEST,
    TIMEOUT_S,
    DetectParameters,
    Settings,
    checked_per_request,
)
from dirdet.errors import ParameterError

if TYPE_CHECKING:
    from dirdet.api.schemas import DetectorInfo
    from dirdet.client.pictures import PictureInput

    PictureInputs = Iterable[PictureInput] | AsyncIterable[PictureInput]

# Requests under way at once: one is decoded, another is in the engine, and a third is being sent.
CONCURRENCY = 4


class AsyncClient:
    """The same as `dirdet.Client`, with `await`; sends several requests at once."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        detector: str | None = None,
        api_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | int = Retries(),  # noqa: B008 - frozen
        shrink: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Takes the arguments of `dirdet.Client`.

        Raises:
            ParameterError: an address, key or timeout is invalid.
        """
        self._settings = Settings.checked(
            base_url, detector=detector, api_key=api_key, timeout_s=timeout_s, retries=retries
        )
        # asyncio measures the time of the whole attempt.
        timeout = httpx.Timeout(None, connect=CONNECT_S)
        self._http = httpx.AsyncClient(headers=self._settings.headers, transport=transport, timeout=timeout)
        self._shrinking = new_shrinking() if shrink else None

    def __repr__(self) -> str:
        """Leaves the API key out."""
        return f"AsyncClient({self._settings.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def detect(
        self,
        picture: "PictureInput",
        *,
        name: str | None = None,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> PictureResult:
        """As `dirdet.Client.detect`."""
        sent = await self._smaller(await _read(picture, name), timeout_s, parameters)
        return await self._run(detect_one(self._settings, sent, timeout_s, parameters))

    async def detect_many(
        self,
        pictures: "PictureInputs",
        *,
        per_request: int = PER_REQUEST,
        concurrency: int = CONCURRENCY,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> list[PictureResult]:
        """As `detect_iter`, but returns all results at the end."""
        found = self.detect_iter(
            pictures, per_request=per_request, concurrency=concurrency, timeout_s=timeout_s, **parameters
        )
        return [each async for each in found]

    def detect_iter(
        self,
        pictures: "PictureInputs",
        *,
        per_request: int = PER_REQUEST,
        concurrency: int = CONCURRENCY,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> AsyncGenerator[PictureResult]:
        """As `dirdet.Client.detect_iter`, with several requests under way; yields results in the order of the pictures.

        A caller that leaves the loop early should close the generator (`contextlib.aclosing`), which cancels the
        requests under way at once.

        Args:
            pictures: may also be an asynchronous iterable.
            per_request: pictures in one request, at most 64.
            concurrency: most requests under way; only their pictures are held in memory.
            timeout_s: for each request; None takes the client's timeout.
            **parameters: as of `detect`.
        """
        refuse_one(pictures)
        if concurrency < 1:
            raise ParameterError("concurrency", f"expected 1 or more, found {concurrency}")
        return self._detect_iter(
            pictures, Grouping(checked_per_request(per_request)), concurrency, timeout_s, parameters
        )

    async def detector(self, *, timeout_s: float | None = None) -> "DetectorInfo":
        """As `dirdet.Client.detector`."""
        return await self._run(describe(self._settings, timeout_s))

    async def ready(self, *, timeout_s: float = 5.0) -> bool:
        """As `dirdet.Client.ready`."""
        return await self._run(ask_ready(timeout_s))

    async def _detect_iter(
        self,
        pictures: "PictureInputs",
        grouping: Grouping,
        concurrency: int,
        timeout_s: float | None,
        parameters: DetectParameters,
    ) -> AsyncGenerator[PictureResult]:
        under_way: deque[asyncio.Task[list[PictureResult]]] = deque()
        try:
            async for group in self._groups(pictures, grouping, timeout_s, parameters):
                if len(under_way) == concurrency:
                    for result in await under_way[0]:
                        yield result
                    under_way.popleft()
                exchange = detect_group(self._settings, group, timeout_s, parameters)
                under_way.append(asyncio.create_task(self._run(exchange)))
            while under_way:
                for result in await under_way[0]:
                    yield result
                under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _groups(
        self, pictures: "PictureInputs", grouping: Grouping, timeout_s: float | None, parameters: DetectParameters
    ) -> AsyncGenerator[list[SentPicture]]:
        """Reads the pictures and yields them in groups."""
        async for picture in _each(pictures):
            for group in grouping.add(await self._smaller(await _read(picture, None), timeout_s, parameters)):
                yield group
        for group in grouping.rest():
            yield group

    async def _smaller(
        self, picture: SentPicture, timeout_s: float | None, parameters: DetectParameters
    ) -> SentPicture:
        """As `Client._smaller`; a thread shrinks."""
        if self._shrinking is None:
            return picture
        about = self._shrinking.about
        if about is None:
            about = self._shrinking.about = await self.detector(timeout_s=timeout_s)
        return await asyncio.to_thread(self._shrinking.shrunk, picture, about, parameters)

    async def _run(self, exchange: Exchange[T]) -> T:
        """Performs the attempts of an exchange and returns its result."""
        try:
            attempt = next(exchange)
            while True:
                await asyncio.sleep(attempt.after_s)
                try:
                    answer = await self._send(attempt)
                except ClientError as exc:
                    attempt = exchange.throw(exc)
                else:
                    attempt = exchange.send(answer)
        except StopIteration as end:
            return end.value

    async def _send(self, attempt: Attempt) -> Answer:
        """Returns the answer, whatever its status.

        Raises:
            ClientError: no answer arrived, or it arrived too late.
        """
        deadline = attempt.deadline
        try:
            async with asyncio.timeout(deadline.left_s):
                request = self._http.build_request(**attempt.call.options(self._settings, deadline))
                response = await self._http.send(request)
        except (httpx.HTTPError, TimeoutError) as exc:
            raise transport_failure(exc, self._settings, deadline) from exc
        return Answer(response.status_code, response.headers, response.content)


async def _each(pictures: "PictureInputs") -> "AsyncGenerator[PictureInput]":
    if isinstance(pictures, AsyncIterable):
        async for picture in pictures:
            yield picture
    else:
        for picture in pictures:
            yield picture


async def _read(picture: "PictureInput", name: str | None) -> SentPicture:
    """Reads a picture's bytes; uses a thread if it must be read from disk or encoded."""
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return read(picture, name=name, keep=True)
    return await asyncio.to_thread(read, picture, name=name)
