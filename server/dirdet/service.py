"""Uploads to answers without blocking the event loop: admission, decoding, the detector, in this order."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import anyio
from anyio import to_thread
from PIL import Image

from dirdet.admission import Admission, Seat, within_deadline
from dirdet.answers import PictureAnswer, PictureFailure
from dirdet.deadline import Deadline
from dirdet.detector import PlacedPicture
from dirdet.draw import draw_detections, encode
from dirdet.errors import PictureError
from dirdet.found import Found
from dirdet.limits import ServerLimits
from dirdet.observing import SILENT, Observer
from dirdet.options import Settings
from dirdet.pictures import read_picture
from dirdet.registry import Detectors
from dirdet.scheduling.inferences import CLOSE_S, Inferences
from dirdet.served import ServedDetector
from dirdet.shadow.offers import Offer
from dirdet.shadow.shadow import ShadowedRequest
from dirdet.shadow.shadows import Shadows
from dirdet.stages import stage
from dirdet.tensors import Candidates, CanvasBatch, Row
from dirdet.together import together
from dirdet.uploads import Upload
from dirdet.watched_file import WatchedFile
from dirdet.worker_threads import WorkerThreads

T = TypeVar("T")
# Threads that write answers down: too long for the event loop, short beside a detection.
WRITERS = 2
DECODING = "while a picture was decoded"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A picture on its canvas.

    Attributes:
        placed: for the detector that answers.
        offer: for a candidate, if there is one.
    """

    placed: PlacedPicture
    offer: Offer | None


@dataclass(frozen=True, slots=True)
class _Inferred:
    """A picture that the engine has answered.

    Attributes:
        ready: on its canvas.
        row: the engine's answer.
    """

    ready: _Ready
    row: Row


class DetectionService:
    """Detectors behind bounds on everything, which they share.

    Attributes:
        limits: what is accepted.
        admission: who may come in.
        observer: is told what happens.
        detectors: what is served, by name.
        shadows: what computes beside them.
    """

    def __init__(self, limits: ServerLimits, observer: Observer = SILENT) -> None:
        """No detector yet, and no thread."""
        self.limits = limits
        self.admission = Admission(limits, observer)
        self.observer = observer
        self.detectors = Detectors()
        self.shadows = Shadows()
        self._inferences: Inferences | None = None
        self._decoding = WorkerThreads(limits.decoders, "decoding")
        self._writing = anyio.CapacityLimiter(WRITERS)

    @property
    def served(self) -> ServedDetector:
        """The default detector; a request looks once and keeps it to its end.

        Raises:
            NotReadyError: it is not loaded yet.
        """
        return self.detectors.named()

    @property
    def inferences(self) -> Inferences:
        """Where the engines in this process compute, in turn; its threads start when first asked for."""
        if self._inferences is None:
            self._inferences = Inferences(self.limits, self.observer)
        return self._inferences

    def serve(self, *detectors: ServedDetector) -> None:
        """From now on requests are answered by these detectors."""
        self.detectors.serve(detectors)

    def close(self) -> None:
        """Ends everything; nothing is answered any more."""
        self._decoding.close()
        self.shadows.close()
        self.detectors.close()
        if self._inferences is not None:
            self._inferences.close(within_s=CLOSE_S)

    @property
    def busy(self) -> bool:
        """Whether a thread is at work, for somebody or for nobody any more."""
        return self._decoding.busy > 0 or self.detectors.busy

    @asynccontextmanager
    async def seated(self, served: ServedDetector, timeout_s: float, *, announced_bytes: int) -> AsyncGenerator[Seat]:
        """A seat for a request to a detector of whose body nothing is read yet; at its deadline the block ends.

        Raises:
            OverloadedError: there is no room.
            DeadlineError: the time was over.
        """
        deadline = Deadline.after(timeout_s)
        with self.admission.admit(deadline, announced_bytes=announced_bytes, detector=served.name) as seat:
            async with within_deadline(seat):
                yield seat

    async def detect(
        self,
        served: ServedDetector,
        uploads: Sequence[Upload],
        settings: Settings,
        seat: Seat,
        write: Callable[[list[PictureAnswer | PictureFailure]], T],
        shadowed: ShadowedRequest | None = None,
    ) -> T:
        """What `write`, in a thread, makes of one answer or failure for every upload, in their order.

        What is answered is offered to `shadowed`.

        Raises:
            OverloadedError: there is no room for so many pictures.
            EngineError: the engine did not answer, or not in time.
        """
        seat.begin(len(uploads))
        inferred: list[_Inferred | PictureFailure]
        if served.lane.one_by_one:
            works = [partial(self._one, served, upload, settings, seat, shadowed) for upload in uploads]
            inferred = await together(works)
        else:
            inferred = await self._all(served, uploads, settings, seat, shadowed)

        def written() -> T:
            with stage(self.observer, "finish", detector=served.name):
                answers = [
                    self._answer(served, upload, each, settings) if isinstance(each, _Inferred) else each
                    for upload, each in zip(uploads, inferred, strict=True)
                ]
            with stage(self.observer, "encode", detector=served.name):
                return write(answers)

        return await to_thread.run_sync(written, limiter=self._writing)

    async def draw(
        self,
        served: ServedDetector,
        upload: Upload,
        settings: Settings,
        media_type: str,
        seat: Seat,
        shadowed: ShadowedRequest | None = None,
    ) -> bytes:
        """The upload's picture with its detections drawn on it, encoded; it is offered to `shadowed`.

        Raises:
            PictureError: it cannot be read.
            OverloadedError: there is no room for it.
            EngineError: the engine did not answer, or not in time.
        """
        seat.begin(1)
        async with served.ahead:
            picture, placed = await self._decoding.run(partial(self._read_and_place, served, upload, seat.deadline))
            ready = _ready(picture, placed, shadowed)
            [row] = await served.lane.detect([placed], settings, seat.deadline)

            def drawn_and_encoded() -> bytes:
                found = self._found(served, _Inferred(ready, row), settings)
                return encode(draw_detections(picture, found.detections), media_type)

            drawn = await self._decoding.run(drawn_and_encoded)
        seat.answered()
        return drawn

    async def infer(self, served: ServedDetector, batch: CanvasBatch, seat: Seat) -> Candidates:
        """The engine's own answer to canvases.

        Raises:
            OverloadedError: there is no room for so many.
            EngineError: the engine did not answer, or not in time.
        """
        canvases = len(batch.canvas)
        seat.begin(canvases)
        candidates = await served.lane.infer(batch, seat.deadline)
        seat.answered(canvases)
        return candidates

    async def write(self, served: ServedDetector, work: Callable[[], T]) -> T:
        """The result of writing an engine's answer down, which of many canvases takes a while."""

        def written() -> T:
            with stage(self.observer, "encode", detector=served.name):
                return work()

        return await to_thread.run_sync(written, limiter=self._writing)

    async def _one(
        self,
        served: ServedDetector,
        upload: Upload,
        settings: Settings,
        seat: Seat,
        shadowed: ShadowedRequest | None,
    ) -> _Inferred | PictureFailure:
        """One picture on its own way, from its decoding to the engine's answer."""
        async with served.ahead:
            with served.lane.coming():
                ready = await self._placed(served, upload, seat, shadowed)
            if isinstance(ready, PictureFailure):
                inferred = ready
            else:
                [row] = await served.lane.detect([ready.placed], settings, seat.deadline)
                inferred = _Inferred(ready, row)
        seat.answered()
        return inferred

    async def _all(
        self,
        served: ServedDetector,
        uploads: Sequence[Upload],
        settings: Settings,
        seat: Seat,
        shadowed: ShadowedRequest | None,
    ) -> list[_Inferred | PictureFailure]:
        """All pictures of a request together, once each is decoded."""
        placed = await together([partial(self._placed, served, upload, seat, shadowed) for upload in uploads])
        good = [ready.placed for ready in placed if isinstance(ready, _Ready)]
        rows = iter(await served.lane.detect(good, settings, seat.deadline) if good else [])
        seat.answered(len(uploads))
        return [_Inferred(ready, next(rows)) if isinstance(ready, _Ready) else ready for ready in placed]

    async def _placed(
        self, served: ServedDetector, upload: Upload, seat: Seat, shadowed: ShadowedRequest | None
    ) -> _Ready | PictureFailure:
        try:
            picture, placed = await self._decoding.run(partial(self._read_and_place, served, upload, seat.deadline))
        except PictureError as exc:
            return PictureFailure(upload.name, exc)
        return _ready(picture, placed, shadowed)

    def _read_and_place(
        self, served: ServedDetector, upload: Upload, deadline: Deadline
    ) -> tuple[Image.Image, PlacedPicture]:
        """In a decoding thread."""
        if upload.error is not None:
            raise upload.error
        with stage(self.observer, "decode", detector=served.name):
            watched = WatchedFile(upload.file, partial(deadline.check, DECODING))
            picture = read_picture(watched, limits=self.limits.picture)
            return picture, served.detector.place(picture)

    def _answer(self, served: ServedDetector, upload: Upload, inferred: _Inferred, settings: Settings) -> PictureAnswer:
        height, width = inferred.ready.placed.fit.picture_hw
        return PictureAnswer(upload.name, width, height, self._found(served, inferred, settings))

    def _found(self, served: ServedDetector, inferred: _Inferred, settings: Settings) -> Found:
        """What is answered of a picture, which is told; in a thread."""
        ready = inferred.ready
        found = served.detector.found(inferred.row, ready.placed.fit, settings)
        self.observer.served(served.name, found.detections)
        if ready.offer is not None:
            ready.offer.answered(found.detections)
        return found


def _ready(picture: Image.Image, placed: PlacedPicture, shadowed: ShadowedRequest | None) -> _Ready:
    return _Ready(placed, None if shadowed is None else shadowed.offer(picture, placed))
