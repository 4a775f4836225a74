"""The client for asyncio."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import httpx

from dirdet.client.answers import Answer, failed_pictures, results_of
from dirdet.client.errors import ClientError, ProblemError, TooLargeError
from dirdet.client.groups import Grouping, halves
from dirdet.client.pictures import SentPicture, read, refuse_one
from dirdet.client.requests import Call, detect_call, transport_failure
from dirdet.client.results import ImageResult
from dirdet.client.retries import Deadline, Retries
from dirdet.client.settings import (
    CONNECT_S,
    DEFAULT_URL,
    PER_REQUEST,
    TIMEOUT_S,
    DetectParameters,
    Settings,
    checked_per_request,
    checked_timeout,
)
from dirdet.errors import ParameterError

if TYPE_CHECKING:
    from dirdet.client.pictures import PictureInput
    from dirdet.schemas import DetectorInfo

    PictureInputs = Iterable[PictureInput] | AsyncIterable[PictureInput]

# Requests under way at once: one is decoded while another is detected on and a third is on its way.
CONCURRENCY = 4


class AsyncClient:
    """As `dirdet.Client`, with `await`; many requests go at once over its connections."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        detector: str | None = None,
        api_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | int = Retries(),  # noqa: B008 - frozen
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As `dirdet.Client`.

        Raises:
            ParameterError: an address, key or time that is none.
        """
        self._settings = Settings.checked(
            base_url, detector=detector, api_key=api_key, timeout_s=timeout_s, retries=retries
        )
        # The whole of a try is timed by asyncio.
        timeout = httpx.Timeout(None, connect=CONNECT_S)
        self._http = httpx.AsyncClient(headers=self._settings.headers, transport=transport, timeout=timeout)

    def __repr__(self) -> str:
        """Without the key."""
        return f"AsyncClient({self._settings.base_url!r})"

    async def __aenter__(self) -> Self:
        """The client, closed at the block's end."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Closes."""
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def detect(
        self,
        picture: "PictureInput",
        *,
        name: str | None = None,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> ImageResult:
        """As `dirdet.Client.detect`."""
        sent = await _read(picture, name)
        if sent.error is not None:
            raise sent.error
        answer = await self._answer(detect_call(self._settings, [sent], parameters), timeout_s)
        return results_of(answer.json(), [sent])[0]

    async def detect_many(
        self,
        pictures: "PictureInputs",
        *,
        per_request: int = PER_REQUEST,
        concurrency: int = CONCURRENCY,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> list[ImageResult]:
        """As `detect_iter`, with all results at the end."""
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
    ) -> AsyncGenerator[ImageResult]:
        """As `dirdet.Client.detect_iter`, with several requests under way; results come in the pictures' order.

        Whoever leaves the loop early closes it (`contextlib.aclosing`), so that what is under way is stopped at once.

        Args:
            pictures: also an asynchronous iterable.
            per_request: so many pictures are sent at once, 64 at most.
            concurrency: requests under way at most; what they hold is all that is held.
            timeout_s: of each request; the client's unless given.
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
        from dirdet.client.about import detector_of

        return detector_of((await self._answer(Call("GET", self._settings.detector_path), timeout_s)).json())

    async def ready(self, *, timeout_s: float = 5.0) -> bool:
        """As `dirdet.Client.ready`."""
        try:
            return (await self._try(Call("GET", "/health/ready"), Deadline(checked_timeout(timeout_s)))).ok
        except ClientError:
            return False

    async def _detect_iter(
        self,
        pictures: "PictureInputs",
        grouping: Grouping,
        concurrency: int,
        timeout_s: float | None,
        parameters: DetectParameters,
    ) -> AsyncGenerator[ImageResult]:
        under_way: deque[asyncio.Task[list[ImageResult]]] = deque()
        try:
            async for group in _groups(pictures, grouping):
                if len(under_way) == concurrency:
                    for result in await under_way[0]:
                        yield result
                    under_way.popleft()
                under_way.append(asyncio.create_task(self._results(group, timeout_s, parameters)))
            while under_way:
                for result in await under_way[0]:
                    yield result
                under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _results(
        self, group: list[SentPicture], timeout_s: float | None, parameters: DetectParameters
    ) -> list[ImageResult]:
        """One result a picture."""
        good = [each for each in group if each.error is None]
        found = iter(await self._sent(good, timeout_s, parameters) if good else [])
        return [next(found) if each.error is None else ImageResult(each.name, 0, 0, error=each.error) for each in group]

    async def _sent(
        self, group: list[SentPicture], timeout_s: float | None, parameters: DetectParameters
    ) -> list[ImageResult]:
        try:
            return results_of(
                (await self._answer(detect_call(self._settings, group, parameters), timeout_s)).json(), group
            )
        except TooLargeError:  # what stands before the gateway may take less than it does
            if len(group) == 1:
                raise
            return [each for half in halves(group) for each in await self._sent(half, timeout_s, parameters)]
        except ProblemError as exc:
            failed = failed_pictures(exc, group)
            if failed is None:
                raise
            return failed

    async def _answer(self, call: Call, timeout_s: float | None) -> Answer:
        """The answer, after as many tries as it takes.

        Raises:
            ClientError: of the last try.
        """
        deadline = Deadline(self._settings.timeout_s if timeout_s is None else checked_timeout(timeout_s))
        tried = 0
        while True:
            tried += 1
            try:
                answer = await self._try(call, deadline)
                if answer.ok:
                    return answer
                raise answer.error()
            except ClientError as exc:
                wait_s = self._settings.retries.wait_s(exc, tried=tried, left_s=deadline.left_s)
                if wait_s is None:
                    raise
            await asyncio.sleep(wait_s)

    async def _try(self, call: Call, deadline: Deadline) -> Answer:
        """One request.

        Raises:
            ClientError: there was no answer, or none in time.
        """
        try:
            async with asyncio.timeout(deadline.left_s):
                response = await self._http.send(self._http.build_request(**call.options(self._settings, deadline)))
        except (httpx.HTTPError, TimeoutError) as exc:
            raise transport_failure(exc, self._settings, deadline) from exc
        return Answer(response.status_code, response.headers, response.content)


async def _groups(pictures: "PictureInputs", grouping: Grouping) -> AsyncGenerator[list[SentPicture]]:
    """The pictures, read and in groups."""
    if isinstance(pictures, AsyncIterable):
        async for picture in pictures:
            for group in grouping.add(await _read(picture, None)):
                yield group
    else:
        for picture in pictures:
            for group in grouping.add(await _read(picture, None)):
                yield group
    for group in grouping.rest():
        yield group


async def _read(picture: "PictureInput", name: str | None) -> SentPicture:
    """The picture's bytes; from a disk or an encoder in a thread."""
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return read(picture, name=name)
    return await asyncio.to_thread(read, picture, name=name)
