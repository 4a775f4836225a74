"""From uploads to answers without blocking the event loop: admission, decoding, inference, writing."""

import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TypeAlias, TypeVar

from PIL import Image

from dirdet.api.answers import PictureAnswer, PictureFailure
from dirdet.detection import Found
from dirdet.detection.draw import draw_detections, encode
from dirdet.detector.options import Settings
from dirdet.detector.postprocess import found_in
from dirdet.detector.tiled import TiledPicture
from dirdet.engines.tensors import Candidates
from dirdet.errors import PictureError
from dirdet.gateway.scheduling.admission import Admission, Seat, within_deadline
from dirdet.gateway.scheduling.concurrency import WorkerThreads, gather
from dirdet.gateway.scheduling.embedded_lane import CLOSE_S, Inferences
from dirdet.gateway.scheduling.instrumentation import SILENT, Observer
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detectors import Detectors, ServedDetector
from dirdet.gateway.service.tiled_inference import TiledInference
from dirdet.pictures.canvas import PlacedPicture, place_file
from dirdet.pictures.formats import ANSWERED
from dirdet.pictures.reading import read_picture

T = TypeVar("T")
# Threads that write answers, which takes too long for the event loop and is short beside a detection.
WRITERS = 2


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture of a request.

    Attributes:
        name: the file's name as the client gave it, or the field's.
        file: its bytes, at their start.
        error: why its bytes were not kept.
    """

    name: str
    file: IO[bytes]
    error: PictureError | None = None


# A placed picture, and the engine's answer; or a picture with the answers to its tiles.
Inferred: TypeAlias = tuple[PlacedPicture, Candidates] | TiledPicture


class DetectionService:
    """Serves detectors, which share the limits of the server.

    Attributes:
        limits: of requests.
        admission: admits requests, or refuses them.
        observer: measures what happens.
        detectors: the served detectors by name.
    """

    def __init__(self, limits: ServerLimits, observer: Observer = SILENT) -> None:
        self.limits = limits
        self.admission = Admission(limits, observer)
        self.observer = observer
        self.detectors = Detectors()
        self._inferences: Inferences | None = None
        self._decoding = WorkerThreads(limits.decoders, "decoding")
        self._tiles = TiledInference(limits, self._decoding)
        self._writing = WorkerThreads(WRITERS, "writing", low=False)

    @property
    def served(self) -> ServedDetector:
        """The default detector.

        Raises:
            NotReadyError: it is not loaded yet.
        """
        return self.detectors.named()

    @property
    def inferences(self) -> Inferences:
        """The threads in which engines of this process compute; they start at the first use."""
        if self._inferences is None:
            self._inferences = Inferences(self.limits, self.observer)
        return self._inferences

    def serve(self, *detectors: ServedDetector) -> None:
        """Answers requests with these detectors from now on."""
        self.detectors.serve(detectors)

    def close(self) -> None:
        """Closes all detectors and threads."""
        self._decoding.close()
        self._writing.close()
        self.detectors.close()
        if self._inferences is not None:
            self._inferences.close(within_s=CLOSE_S)

    @property
    def busy(self) -> bool:
        """Whether any thread is at work, even if its client is gone."""
        return self._decoding.busy > 0 or self.detectors.busy

    @asynccontextmanager
    async def seated(self, served: ServedDetector, timeout_s: float, *, announced_bytes: int) -> AsyncGenerator[Seat]:
        """A seat for a request whose body is not read yet; the block is cancelled at its deadline.

        Raises:
            OverloadedError: there is no room.
            DeadlineError: the deadline passed.
        """
        with self.admission.admit(timeout_s, announced_bytes=announced_bytes, detector=served.name) as seat:
            async with within_deadline(seat):
                yield seat

    async def detect(
        self,
        served: ServedDetector,
        uploads: Sequence[Upload],
        settings: Settings,
        seat: Seat,
        write: Callable[[list[PictureAnswer | PictureFailure]], T],
    ) -> T:
        """The result of `write`, called in a thread with one answer or failure per upload, in order.

        Raises:
            OverloadedError: there is no room for so many pictures.
            EngineError: the engine did not answer, or was too late.
        """
        seat.begin(len(uploads))
        if settings.tiling is not None:
            inferred = [await self._infer_tiles(served, upload, settings, seat) for upload in uploads]
        elif served.lane.one_by_one:
            inferred = await self._infer_one_by_one(served, uploads, settings, seat)
        else:
            inferred = await self._infer_together(served, uploads, settings, seat)

        def written() -> T:
            with self._stage("finish", served):
                answers = [
                    each if isinstance(each, PictureFailure) else self._answer(served, upload, each, settings)
                    for upload, each in zip(uploads, inferred, strict=True)
                ]
            with self._stage("encode", served):
                return write(answers)

        return await self._writing.run(written)

    async def draw(
        self, served: ServedDetector, upload: Upload, settings: Settings, media_type: str, seat: Seat
    ) -> bytes:
        """The upload's picture with its detections drawn on it, encoded.

        Raises:
            PictureError: it cannot be read.
            OverloadedError: there is no room for it.
            EngineError: the engine did not answer, or was too late.
        """
        seat.begin(1)

        def drawn_and_encoded(picture: Image.Image, inferred: Inferred) -> bytes:
            found = self._found(served, inferred, settings)
            return encode(draw_detections(picture, found.detections), ANSWERED[media_type].pillow)

        if settings.tiling is not None:
            read = partial(self._read, served, upload, seat)
            tiled, picture = await self._tiles.infer(served, read, settings.tiling, settings, seat)
            return await self._decoding.run(partial(drawn_and_encoded, picture, tiled))
        async with served.ahead:
            picture = await self._decoding.run(partial(self._read, served, upload, seat))
            placed = await self._decoding.run(partial(self._place, served, upload, settings, seat))
            [candidates] = await served.lane.detect([placed], settings, seat.deadline)
            drawn = await self._decoding.run(partial(drawn_and_encoded, picture, (placed, candidates)))
        seat.answered()
        return drawn

    async def _infer_tiles(
        self, served: ServedDetector, upload: Upload, settings: Settings, seat: Seat
    ) -> Inferred | PictureFailure:
        """Infers one picture in tiles; those of a request follow each other, so that one is in memory."""
        assert settings.tiling is not None
        read = partial(self._read, served, upload, seat)
        try:
            tiled, _ = await self._tiles.infer(served, read, settings.tiling, settings, seat)
        except PictureError as exc:
            seat.answered()
            return PictureFailure(upload.name, exc)
        return tiled

    async def _infer_one_by_one(
        self, served: ServedDetector, uploads: Sequence[Upload], settings: Settings, seat: Seat
    ) -> list[Inferred | PictureFailure]:
        """Decodes and infers each picture independently."""

        async def infer(upload: Upload) -> Inferred | PictureFailure:
            async with served.ahead:
                with served.lane.coming():
                    placed = await self._placed(served, upload, settings, seat)
                if isinstance(placed, PlacedPicture):
                    [candidates] = await served.lane.detect([placed], settings, seat.deadline)
                    inferred = (placed, candidates)
                else:
                    inferred = placed
            seat.answered()
            return inferred

        return await gather([partial(infer, upload) for upload in uploads])

    async def _infer_together(
        self, served: ServedDetector, uploads: Sequence[Upload], settings: Settings, seat: Seat
    ) -> list[Inferred | PictureFailure]:
        """Infers all pictures together after all are decoded."""
        placed = await gather([partial(self._placed, served, upload, settings, seat) for upload in uploads])
        good = [each for each in placed if isinstance(each, PlacedPicture)]
        answers = iter(await served.lane.detect(good, settings, seat.deadline) if good else [])
        seat.answered(len(uploads))
        return [(each, next(answers)) if isinstance(each, PlacedPicture) else each for each in placed]

    async def _placed(
        self, served: ServedDetector, upload: Upload, settings: Settings, seat: Seat
    ) -> PlacedPicture | PictureFailure:
        try:
            return await self._decoding.run(partial(self._place, served, upload, settings, seat))
        except PictureError as exc:
            return PictureFailure(upload.name, exc)

    def _read(self, served: ServedDetector, upload: Upload, seat: Seat) -> Image.Image:
        """Decodes a picture; runs in a decoding thread."""
        if upload.error is not None:
            raise upload.error
        with self._stage("decode", served):
            upload.file.seek(0)
            return read_picture(seat.watched(upload.file), limits=self.limits.picture)

    def _place(self, served: ServedDetector, upload: Upload, settings: Settings, seat: Seat) -> PlacedPicture:
        """Decodes a picture and places it on a canvas; runs in a decoding thread."""
        if upload.error is not None:
            raise upload.error
        with self._stage("decode", served):
            upload.file.seek(0)
            return place_file(
                seat.watched(upload.file), served.detector.manifest, decode=settings.decode, limits=self.limits.picture
            )

    def _answer(self, served: ServedDetector, upload: Upload, inferred: Inferred, settings: Settings) -> PictureAnswer:
        if isinstance(inferred, TiledPicture):
            (height, width), decoded_scale = inferred.picture_hw, 1.0
        else:
            placed, _ = inferred
            (height, width), decoded_scale = placed.fit.picture_hw, placed.decoded_scale
        return PictureAnswer(upload.name, width, height, self._found(served, inferred, settings), decoded_scale)

    def _found(self, served: ServedDetector, inferred: Inferred, settings: Settings) -> Found:
        """The detections of a picture, which are measured; runs in a thread."""
        if isinstance(inferred, TiledPicture):
            found = inferred.joined()
        else:
            placed, candidates = inferred
            found = found_in(candidates, 0, fit=placed.fit, manifest=served.detector.manifest, settings=settings)
        self.observer.served(served.name, found.detections)
        return found

    @contextmanager
    def _stage(self, name: str, served: ServedDetector) -> Generator[None]:
        """Measures the block's duration and processor time, unless it raises."""
        begun_s, cpu_s = time.monotonic(), time.thread_time()
        yield
        taken_s, cpu_s = time.monotonic() - begun_s, time.thread_time() - cpu_s
        self.observer.stage_ended(name, taken_s, cpu_s=cpu_s, detector=served.name)
