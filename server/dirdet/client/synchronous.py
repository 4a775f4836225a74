"""The client that waits."""

import time
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import httpx

from dirdet.client.answers import Answer, failed_pictures, results_of
from dirdet.client.errors import ClientError, ProblemError, TooLargeError
from dirdet.client.groups import Grouping, halves
from dirdet.client.pictures import SentPicture, read, refuse_one
from dirdet.client.requests import Call, detect_call, extensions, transport_failure
from dirdet.client.results import ImageResult
from dirdet.client.retries import Deadline, Retries
from dirdet.client.settings import (
    DEFAULT_URL,
    PER_REQUEST,
    TIMEOUT_S,
    DetectParameters,
    Settings,
    checked_per_request,
    checked_timeout,
)

if TYPE_CHECKING:
    from dirdet.client.pictures import PictureInput
    from dirdet.schemas import DetectorInfo


class Client:
    """Asks one gateway; keeps its connections, so make one and keep it. Safe to use from several threads.

    A picture is a path, bytes, a file opened in binary mode, a PIL image, or a uint8 array [height, width, 3] in RGB
    order. Boxes are in the pixels of the upright picture; of a PIL image in those it has.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        detector: str | None = None,
        api_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | int = Retries(),  # noqa: B008 - frozen
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Does not connect yet.

        Args:
            base_url: of the gateway.
            detector: name of the one that detects, where the gateway serves several; its default one unless given.
            api_key: sent as a bearer token; unless given, what DIRDET_API_KEY holds.
            timeout_s: of each call, retries included; the gateway is told what is left of it.
            retries: how often a request is sent again after 429, 502, 503 or a lost connection.
            transport: httpx's, for proxies and certificates of one's own.

        Raises:
            ParameterError: an address, name, key or time that is none.
        """
        self._settings = Settings.checked(
            base_url, detector=detector, api_key=api_key, timeout_s=timeout_s, retries=retries
        )
        self._http = httpx.Client(headers=self._settings.headers, transport=transport)

    def __repr__(self) -> str:
        """Without the key."""
        return f"Client({self._settings.base_url!r})"

    def __enter__(self) -> Self:
        """The client, closed at the block's end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Closes."""
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def detect(
        self,
        picture: "PictureInput",
        *,
        name: str | None = None,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> ImageResult:
        """Detects on one picture.

        Args:
            picture: see the class.
            name: what the result is called; the picture's own unless given.
            timeout_s: of this call; the client's unless given.
            **parameters: score_threshold, nms_iou_threshold, min_iou, iou_weight, max_detections, classes.

        Raises:
            PictureError: a file that cannot be read.
            ParameterError: not a picture in any of the ways that are taken.
            ProblemError: the gateway's; of its subclasses PictureProblemError is about the picture.
            ClientError: there was no answer, or none in time.
        """
        sent = read(picture, name=name)
        if sent.error is not None:
            raise sent.error
        answer = self._answer(detect_call(self._settings, [sent], parameters), timeout_s)
        return results_of(answer.json(), [sent])[0]

    def detect_many(
        self,
        pictures: "Iterable[PictureInput]",
        *,
        per_request: int = PER_REQUEST,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> list[ImageResult]:
        """As `detect_iter`, with all results at the end."""
        return list(self.detect_iter(pictures, per_request=per_request, timeout_s=timeout_s, **parameters))

    def detect_iter(
        self,
        pictures: "Iterable[PictureInput]",
        *,
        per_request: int = PER_REQUEST,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> Generator[ImageResult]:
        """Detects on pictures, taken as they are needed; gives a result for each, in their order.

        A picture that cannot be read is a result with an error.

        Args:
            pictures: see the class.
            per_request: so many pictures are sent at once, 64 at most.
            timeout_s: of each request; the client's unless given.
            **parameters: as of `detect`.

        Raises:
            ParameterError: something that is no picture in any of the ways that are taken.
            ProblemError: the gateway's, about something else than a picture.
            ClientError: there was no answer, or none in time.
        """
        refuse_one(pictures)
        return self._detect_iter(pictures, Grouping(checked_per_request(per_request)), timeout_s, parameters)

    def detector(self, *, timeout_s: float | None = None) -> "DetectorInfo":
        """What the detector knows, its defaults, how good it is and what it cannot do.

        Raises:
            ClientError: there was no answer, or another than expected.
        """
        from dirdet.client.about import detector_of

        return detector_of(self._answer(Call("GET", self._settings.detector_path), timeout_s).json())

    def ready(self, *, timeout_s: float = 5.0) -> bool:
        """Whether a picture sent now would be answered; asks once."""
        try:
            return self._try(Call("GET", "/health/ready"), Deadline(checked_timeout(timeout_s))).ok
        except ClientError:
            return False

    def _detect_iter(
        self,
        pictures: "Iterable[PictureInput]",
        grouping: Grouping,
        timeout_s: float | None,
        parameters: DetectParameters,
    ) -> Generator[ImageResult]:
        for picture in pictures:
            for group in grouping.add(read(picture)):
                yield from self._results(group, timeout_s, parameters)
        for group in grouping.rest():
            yield from self._results(group, timeout_s, parameters)

    def _results(
        self, group: list[SentPicture], timeout_s: float | None, parameters: DetectParameters
    ) -> list[ImageResult]:
        """One result a picture."""
        good = [each for each in group if each.error is None]
        found = iter(self._sent(good, timeout_s, parameters) if good else [])
        return [next(found) if each.error is None else ImageResult(each.name, 0, 0, error=each.error) for each in group]

    def _sent(
        self, group: list[SentPicture], timeout_s: float | None, parameters: DetectParameters
    ) -> list[ImageResult]:
        try:
            return results_of(self._answer(detect_call(self._settings, group, parameters), timeout_s).json(), group)
        except TooLargeError:  # what stands before the gateway may take less than it does
            if len(group) == 1:
                raise
            return [each for half in halves(group) for each in self._sent(half, timeout_s, parameters)]
        except ProblemError as exc:
            failed = failed_pictures(exc, group)
            if failed is None:
                raise
            return failed

    def _answer(self, call: Call, timeout_s: float | None) -> Answer:
        """The answer, after as many tries as it takes.

        Raises:
            ClientError: of the last try.
        """
        deadline = Deadline(self._settings.timeout_s if timeout_s is None else checked_timeout(timeout_s))
        tried = 0
        while True:
            tried += 1
            try:
                answer = self._try(call, deadline)
                if answer.ok:
                    return answer
                raise answer.error()
            except ClientError as exc:
                wait_s = self._settings.retries.wait_s(exc, tried=tried, left_s=deadline.left_s)
                if wait_s is None:
                    raise
            time.sleep(wait_s)

    def _try(self, call: Call, deadline: Deadline) -> Answer:
        """One request.

        Raises:
            ClientError: there was no answer, or none in time.
        """
        request = self._http.build_request(
            **call.options(self._settings, deadline), extensions=dict(extensions(deadline))
        )
        try:
            response = self._http.send(request, stream=True)
            try:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if deadline.left_s <= 0:  # a server that answers drop by drop
                        raise httpx.ReadTimeout("too slow", request=request)
            finally:
                response.close()
        except httpx.HTTPError as exc:
            raise transport_failure(exc, self._settings, deadline) from exc
        return Answer(response.status_code, response.headers, bytes(body))
