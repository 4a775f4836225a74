"""Stage of a gateway: sends the files unchanged, several requests at once."""

from collections.abc import Callable
from queue import SimpleQueue

from dirdet.batch.engines.base import DetectedPicture, EngineChangedError
from dirdet.batch.engines.busy_time import Busy
from dirdet.batch.engines.call_retries import Patience
from dirdet.batch.job_record import DetectorRecord
from dirdet.batch.reading import without_addresses
from dirdet.batch.source_picture import Entry
from dirdet.client import AsyncClient, ImageResult
from dirdet.client.errors import PROBLEM_PREFIX, ProblemError, WrongParameterError
from dirdet.client.settings import DetectParameters
from dirdet.detector.options import Settings
from dirdet.engines.tensors import MAX_BATCH
from dirdet.engines.triton.loop_thread import LoopThread
from dirdet.errors import BrokenPictureError, NotAPictureError, PictureError, PictureTooLargeError

# Timeout of a request, over all attempts of the client.
TIMEOUT_S = 120.0
# The error of a gateway's problem with a picture, by the problem's type, or else by its status.
BY_TYPE: dict[str, type[PictureError]] = {
    "not-a-picture": NotAPictureError,
    "broken-picture": BrokenPictureError,
    "picture-too-large": PictureTooLargeError,
}
BY_STATUS: dict[int, type[PictureError]] = {
    400: BrokenPictureError,
    413: PictureTooLargeError,
    415: NotAPictureError,
    422: BrokenPictureError,
}


class GatewayStage:
    partly = 0.0

    def __init__(
        self,
        connect: Callable[[], AsyncClient],
        detector: DetectorRecord,
        settings: Settings,
        *,
        in_flight: int,
        patience_s: float,
    ) -> None:
        """Connects.

        Args:
            connect: creates the client.
            detector: the detector that the job started with.
            settings: of the detections.
            in_flight: most requests at once.
            patience_s: how long a request is retried.
        """
        self.in_flight = in_flight
        self.notes: SimpleQueue[str] = SimpleQueue()
        self._detector = detector
        self._parameters = parameters_of(settings)
        # One picture in tiles takes as long as many others.
        self._per_request = MAX_BATCH if settings.tiling is None else 1
        self._patience = Patience(patience_s, self.notes)
        self._busy = Busy()
        self._client = connect()
        self._loop = LoopThread("infer")

    @property
    def seconds(self) -> float:
        return self._busy.seconds

    def read(self, entry: Entry) -> bytes:
        """Reads the file's bytes; the gateway checks that they are a picture."""
        return entry.open().read()

    def kind(self, picture: bytes) -> None:
        """All pictures may share a request, since the gateway places them on canvases."""

    def submit(self, pictures: list[bytes]) -> Callable[[], list[DetectedPicture | PictureError]]:
        return self._loop.start(self._patience.keep(lambda: self._ask(pictures))).result

    def close(self) -> None:
        self._loop.cancel()
        self._loop.run(self._client.close())
        self._loop.stop()

    async def _ask(self, pictures: list[bytes]) -> list[DetectedPicture | PictureError]:
        try:
            with self._busy.once():
                results = await self._client.detect_many(
                    pictures, per_request=self._per_request, concurrency=1, **self._parameters
                )
        except ProblemError as exc:
            if isinstance(exc, WrongParameterError) or exc.status not in BY_STATUS:
                raise
            if len(pictures) == 1:
                return [_picture_error(exc)]
            # The problem concerns one of the pictures; separate requests show which.
            return [outcome for picture in pictures for outcome in await self._ask([picture])]
        return [self._outcome(result) for result in results]

    def _outcome(self, result: ImageResult) -> DetectedPicture | PictureError:
        if isinstance(result.error, PictureError):
            return result.error
        if isinstance(result.error, ProblemError):
            if result.error.status not in BY_STATUS:
                raise result.error
            return _picture_error(result.error)
        now = (result.detector, result.checkpoint_sha256)
        if now != (self._detector.name, self._detector.checkpoint_sha256):
            raise EngineChangedError(
                f"the gateway has another detector now: expected {self._detector.name} "
                f"({self._detector.checkpoint_sha256[:12]}), found {now[0]} ({now[1][:12]})"
            )
        return DetectedPicture((result.height, result.width), list(result.detections))


def parameters_of(settings: Settings) -> DetectParameters:
    """Settings as a request's parameters; all are given, so that the gateway's defaults have no effect."""
    return {
        "score_threshold": settings.score_threshold,
        "nms_iou_threshold": settings.nms_iou_threshold,
        "nms": settings.nms,
        "iou_weight": settings.iou_weight,
        "min_iou": settings.min_iou,
        "max_detections": settings.max_detections,
        "classes": None if settings.class_ids is None else sorted(settings.class_ids),
        "tiles": None if settings.tiling is None else str(settings.tiling),
        "join": None if settings.tiling is None else settings.join,
        "decode": settings.decode,
    }


def _picture_error(problem: ProblemError) -> PictureError:
    kind = BY_TYPE.get(problem.type.removeprefix(PROBLEM_PREFIX)) or BY_STATUS[problem.status]
    return kind(without_addresses(str(problem)))
