"""Uploads to answers without blocking the event loop: decoding and inference each in threads of their own."""

from collections.abc import Sequence

import anyio
from anyio import to_thread
from PIL import Image

from dirdet.answers import PictureAnswer, PictureFailure
from dirdet.detector import Detector, PlacedPicture
from dirdet.draw import draw_detections, encode
from dirdet.engines.base import RemoteEngine
from dirdet.errors import DeadlineError, PictureError
from dirdet.found import Found
from dirdet.limits import ServerLimits
from dirdet.options import Settings
from dirdet.pictures import read_picture
from dirdet.tensors import Candidates, CanvasBatch
from dirdet.uploads import Upload


class DetectionService:
    """A detector behind a bounded number of threads.

    Attributes:
        detector: what detects.
        limits: what is accepted.
    """

    def __init__(self, detector: Detector, limits: ServerLimits) -> None:
        """No thread is started yet."""
        self.detector = detector
        self.limits = limits
        self._decoding = anyio.CapacityLimiter(limits.decoders)
        self._inferring = anyio.CapacityLimiter(limits.inferences)

    async def detect(self, uploads: Sequence[Upload], settings: Settings) -> list[PictureAnswer | PictureFailure]:
        """One answer or failure for every upload, in their order.

        Raises:
            EngineError: the engine did not answer, or not in time.
        """
        deadline = anyio.current_time() + self.limits.deadline_s
        placed: list[PlacedPicture | PictureError | None] = [None] * len(uploads)

        async def place(index: int, upload: Upload) -> None:
            try:
                placed[index] = await to_thread.run_sync(self._place, upload, limiter=self._decoding)
            except PictureError as exc:
                placed[index] = exc

        async with anyio.create_task_group() as tasks:
            for index, upload in enumerate(uploads):
                tasks.start_soon(place, index, upload)
        good = [picture for picture in placed if isinstance(picture, PlacedPicture)]
        found = iter(await self._infer(good, settings, deadline=deadline) if good else [])
        answers: list[PictureAnswer | PictureFailure] = []
        for upload, picture in zip(uploads, placed, strict=True):
            if isinstance(picture, PlacedPicture):
                height, width = picture.fit.picture_hw
                answers.append(PictureAnswer(upload.name, width, height, next(found)))
            elif picture is not None:
                answers.append(PictureFailure(upload.name, picture))
        return answers

    async def draw(self, upload: Upload, settings: Settings, media_type: str) -> bytes:
        """The upload's picture with its detections drawn on it, encoded.

        Raises:
            PictureError: it cannot be read.
            EngineError: the engine did not answer.
        """
        if upload.error is not None:
            raise upload.error
        deadline = anyio.current_time() + self.limits.deadline_s
        picture = await to_thread.run_sync(self._read, upload, limiter=self._decoding)
        placed = await to_thread.run_sync(self.detector.place, picture, limiter=self._decoding)
        [found] = await self._infer([placed], settings, deadline=deadline)
        return await to_thread.run_sync(
            lambda: encode(draw_detections(picture, found.detections), media_type), limiter=self._decoding
        )

    async def infer(self, batch: CanvasBatch) -> Candidates:
        """The engine's own answer to canvases, in their turn among the pictures'.

        Raises:
            EngineError: the engine did not answer, or not in time.
        """
        engine, timeout_s = self.detector.engine, self.limits.deadline_s
        if not isinstance(engine, RemoteEngine):
            return await to_thread.run_sync(engine.detect, batch, limiter=self._inferring)
        try:
            with anyio.fail_after(timeout_s):
                async with self._inferring:
                    return await engine.detect_within(batch, timeout_s=timeout_s)
        except TimeoutError as exc:
            raise DeadlineError(f"the detector did not answer within {timeout_s:g} s") from exc

    async def _infer(self, pictures: Sequence[PlacedPicture], settings: Settings, *, deadline: float) -> list[Found]:
        """What is found in each picture; `deadline`, by the event loop's clock, is for remote engines."""
        engine = self.detector.engine
        if not isinstance(engine, RemoteEngine):
            return await to_thread.run_sync(self.detector.detect_placed, pictures, settings, limiter=self._inferring)
        try:
            with anyio.fail_after(deadline - anyio.current_time()):
                async with self._inferring:
                    timeout_s = deadline - anyio.current_time()
                    if timeout_s <= 0:  # a place can become free in the very moment of the deadline
                        raise TimeoutError
                    return await self.detector.detect_remotely(engine, pictures, settings, timeout_s=timeout_s)
        except TimeoutError as exc:
            raise DeadlineError(f"the detector did not answer within {self.limits.deadline_s:g} s") from exc

    def _read(self, upload: Upload) -> Image.Image:
        return read_picture(upload.file, limits=self.limits.picture)

    def _place(self, upload: Upload) -> PlacedPicture:
        if upload.error is not None:
            raise upload.error
        return self.detector.place(self._read(upload))
