"""The synchronous client."""

import time
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import httpx

from dirdet.client.answers import Answer
from dirdet.client.errors import ClientError
from dirdet.client.groups import Grouping
from dirdet.client.pictures import SentPicture, read, refuse_one
from dirdet.client.protocol import Attempt, Exchange, T, ask_ready, describe, detect_group, detect_one, new_shrinking
from dirdet.client.requests import extensions, transport_failure
from dirdet.client.result import PictureResult
from dirdet.client.retries import Retries
from dirdet.client.settings import DEFAULT_URL, PER_REQUEST, TIMEOUT_S, DetectParameters, Settings, checked_per_request

if TYPE_CHECKING:
    from dirdet.api.schemas import DetectorInfo
    from dirdet.client.pictures import PictureInput


class Client:
    """Client of one gateway. Keeps its connections, so create it once. Safe to use from several threads.

    A picture is a path, bytes, a file opened in binary mode, a PIL image, or a uint8 array [height, width, 3] in RGB
    order. Boxes are in pixels of the upright picture; for a PIL image, in pixels of that image as it is.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        detector: str | None = None,
        api_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | int = Retries(),  # noqa: B008 - frozen
        shrink: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Does not connect yet.

        Args:
            base_url: of the gateway.
            detector: name of the detector, if the gateway serves several; None takes the default detector.
            api_key: sent as a bearer token; None takes the environment variable DIRDET_API_KEY.
            timeout_s: of each call, retries included; each request states the time that is left.
            retries: how often a request is sent again after 429, 502, 503 or a lost connection.
            shrink: sends a picture at the size that the network sees, without loss, if that has fewer bytes. The first
                picture asks for the detector's description before, with a timeout of its own.
            transport: httpx's transport, for example with a proxy or own certificates.

        Raises:
            ParameterError: an address, name, key or timeout is invalid.
        """
        self._settings = Settings.checked(
            base_url, detector=detector, api_key=api_key, timeout_s=timeout_s, retries=retries
        )
        self._http = httpx.Client(headers=self._settings.headers, transport=transport)
        self._shrinking = new_shrinking() if shrink else None

    def __repr__(self) -> str:
        """Leaves the API key out."""
        return f"Client({self._settings.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def detect(
        self,
        picture: "PictureInput",
        *,
        name: str | None = None,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> PictureResult:
        """Detects on one picture.

        Args:
            picture: see the class.
            name: the name in the result; None takes the picture's own name.
            timeout_s: of this call; None takes the client's timeout.
            **parameters: score_threshold, nms_iou_threshold, nms, min_iou, iou_weight, max_detections,
                classes, tiles, join, decode.

        Raises:
            PictureError: the file cannot be read.
            ParameterError: the argument is not a picture of a kind that the class lists.
            ProblemError: the gateway answered with a problem; the subclass PictureProblemError concerns the picture.
            ClientError: no answer arrived, or it arrived too late.
        """
        sent = self._smaller(read(picture, name=name, keep=True), timeout_s, parameters)
        return self._run(detect_one(self._settings, sent, timeout_s, parameters))

    def detect_many(
        self,
        pictures: "Iterable[PictureInput]",
        *,
        per_request: int = PER_REQUEST,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> list[PictureResult]:
        """As `detect_iter`, but returns all results at the end."""
        return list(self.detect_iter(pictures, per_request=per_request, timeout_s=timeout_s, **parameters))

    def detect_iter(
        self,
        pictures: "Iterable[PictureInput]",
        *,
        per_request: int = PER_REQUEST,
        timeout_s: float | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> Generator[PictureResult]:
        """Detects on pictures, which are read as they are needed; yields one result for each, in order.

        A picture that cannot be read gives a result with an error.

        Args:
            pictures: see the class.
            per_request: pictures in one request, at most 64.
            timeout_s: for each request; None takes the client's timeout.
            **parameters: as of `detect`.

        Raises:
            ParameterError: an element is not a picture of a kind that the class lists.
            ProblemError: the gateway answered with a problem that concerns no picture.
            ClientError: no answer arrived, or it arrived too late.
        """
        refuse_one(pictures)
        return self._detect_iter(pictures, Grouping(checked_per_request(per_request)), timeout_s, parameters)

    def detector(self, *, timeout_s: float | None = None) -> "DetectorInfo":
        """Returns the detector's classes, defaults, measured quality and limitations.

        Raises:
            ClientError: no answer arrived, or the answer is not a detector's description.
        """
        return self._run(describe(self._settings, timeout_s))

    def ready(self, *, timeout_s: float = 5.0) -> bool:
        """Returns whether the gateway would answer a picture now; asks once."""
        return self._run(ask_ready(timeout_s))

    def _detect_iter(
        self,
        pictures: "Iterable[PictureInput]",
        grouping: Grouping,
        timeout_s: float | None,
        parameters: DetectParameters,
    ) -> Generator[PictureResult]:
        for picture in pictures:
            for group in grouping.add(self._smaller(read(picture), timeout_s, parameters)):
                yield from self._run(detect_group(self._settings, group, timeout_s, parameters))
        for group in grouping.rest():
            yield from self._run(detect_group(self._settings, group, timeout_s, parameters))

    def _smaller(self, picture: SentPicture, timeout_s: float | None, parameters: DetectParameters) -> SentPicture:
        """The picture as it is sent."""
        if self._shrinking is None:
            return picture
        about = self._shrinking.about
        if about is None:
            about = self._shrinking.about = self.detector(timeout_s=timeout_s)
        return self._shrinking.shrunk(picture, about, parameters)

    def _run(self, exchange: Exchange[T]) -> T:
        """Performs the attempts of an exchange and returns its result."""
        try:
            attempt = next(exchange)
            while True:
                time.sleep(attempt.after_s)
                try:
                    answer = self._send(attempt)
                except ClientError as exc:
                    attempt = exchange.throw(exc)
                else:
                    attempt = exchange.send(answer)
        except StopIteration as end:
            return end.value

    def _send(self, attempt: Attempt) -> Answer:
        """Returns the answer, whatever its status.

        Raises:
            ClientError: no answer arrived, or it arrived too late.
        """
        deadline = attempt.deadline
        options = attempt.call.options(self._settings, deadline)
        request = self._http.build_request(**options, extensions=dict(extensions(deadline)))
        try:
            response = self._http.send(request, stream=True)
            try:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if deadline.left_s <= 0:  # The deadline also holds for a server that sends a few bytes at a time.
                        raise httpx.ReadTimeout("too slow", request=request)
            finally:
                response.close()
        except httpx.HTTPError as exc:
            raise transport_failure(exc, self._settings, deadline) from exc
        return Answer(response.status_code, response.headers, bytes(body))
