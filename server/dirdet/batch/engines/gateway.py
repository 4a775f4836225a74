"""The stages of a gateway: pictures go there as they are, several requests at once."""

from collections.abc import Callable
from queue import SimpleQueue

from dirdet.batch.engines.base import EngineChangedError, Seen
from dirdet.batch.engines.busy import Busy
from dirdet.batch.engines.patience import Patience
from dirdet.batch.entry import Entry
from dirdet.batch.job import DetectorTold
from dirdet.batch.reading import without_addresses
from dirdet.client import AsyncClient, ImageResult
from dirdet.client.errors import PROBLEM_PREFIX, ProblemError, WrongParameterError
from dirdet.client.settings import DetectParameters
from dirdet.detector import MAX_BATCH
from dirdet.engines.loop_thread import LoopThread
from dirdet.errors import BrokenPictureError, NotAPictureError, PictureError, PictureTooLargeError
from dirdet.options import Settings

# Of a request, all the client's tries together.
TIMEOUT_S = 120.0
# What a gateway's problem with a picture is called here; where its kind says nothing, the status.
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
    """See the module, and `dirdet.batch.engines.base.Stage`."""

    def __init__(
        self,
        connect: Callable[[], AsyncClient],
        detector: DetectorTold,
        settings: Settings,
        *,
        in_flight: int,
        patience_s: float,
    ) -> None:
        """Connects.

        Args:
            connect: makes the client.
            detector: the one that the job began with.
            settings: which detections are wanted.
            in_flight: requests at once.
            patience_s: how long a request is tried again.
        """
        self.in_flight = in_flight
        self.notes: SimpleQueue[str] = SimpleQueue()
        self._detector = detector
        self._parameters = parameters_of(settings)
        self._patience = Patience(patience_s, self.notes)
        self._busy = Busy()
        self._client = connect()
        self._loop = LoopThread("infer")

    @property
    def seconds(self) -> float:
        """See `Stage`."""
        return self._busy.seconds

    def read(self, entry: Entry) -> bytes:
        """The file as it is; that it is no picture, the gateway says."""
        return entry.open().read()

    def kind(self, picture: bytes) -> None:
        """All may share a request: the gateway puts them on their canvases."""

    def submit(self, pictures: list[bytes]) -> Callable[[], list[Seen | PictureError]]:
        """See `Stage.submit`."""
        return self._loop.start(self._patience.keep(lambda: self._ask(pictures))).result

    def close(self) -> None:
        """See `Stage.close`."""
        self._loop.cancel()
        self._loop.run(self._client.close())
        self._loop.stop()

    async def _ask(self, pictures: list[bytes]) -> list[Seen | PictureError]:
        try:
            with self._busy.once():
                results = await self._client.detect_many(
                    pictures, per_request=MAX_BATCH, concurrency=1, **self._parameters
                )
        except ProblemError as exc:
            if isinstance(exc, WrongParameterError) or exc.status not in BY_STATUS:
                raise
            if len(pictures) == 1:
                return [_picture_error(exc)]
            # One of them is why; which, their own requests tell.
            return [outcome for picture in pictures for outcome in await self._ask([picture])]
        return [self._outcome(result) for result in results]

    def _outcome(self, result: ImageResult) -> Seen | PictureError:
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
        return Seen((result.height, result.width), list(result.detections))


def parameters_of(settings: Settings) -> DetectParameters:
    """Settings as a request's; all are named, so that the gateway's defaults do not count."""
    return {
        "score_threshold": settings.score_threshold,
        "nms_iou_threshold": settings.nms_iou_threshold,
        "iou_weight": settings.iou_weight,
        "min_iou": settings.min_iou,
        "max_detections": settings.max_detections,
        "classes": None if settings.class_ids is None else sorted(settings.class_ids),
    }


def _picture_error(problem: ProblemError) -> PictureError:
    kind = BY_TYPE.get(problem.type.removeprefix(PROBLEM_PREFIX)) or BY_STATUS[problem.status]
    return kind(without_addresses(str(problem)))
