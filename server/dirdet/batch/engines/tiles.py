"""The stage of jobs that cut their pictures into tiles: one picture after the other, each with batches of its own."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

from dirdet.batch.engines.base import DetectedPicture
from dirdet.batch.engines.canvases import CanvasStage, Computing
from dirdet.batch.errors import JobStoppedError
from dirdet.batch.reading import Reader
from dirdet.batch.source_picture import Entry
from dirdet.batch.unreachable_sources import Unreached
from dirdet.detector.detector import Detector
from dirdet.detector.options import Settings
from dirdet.detector.postprocess import detections_of
from dirdet.detector.tiled import TiledPicture
from dirdet.detector.tiles import Tiling
from dirdet.errors import PictureError
from dirdet.pictures.regions import Regions

# Of one picture: while the engine computes one batch of tiles, the next is cut.
BATCHES_AHEAD = 2


class TiledStage:
    """Decodes and cuts pictures, and computes by another stage.

    While one picture is computed, the next is decoded and cut: so many pictures are in memory, whatever the job's size.
    """

    def __init__(self, stage: CanvasStage, detector: Detector, settings: Settings, tiling: Tiling) -> None:
        """Takes over the stage that computes."""
        self._stage, self._detector, self._settings, self._tiling = stage, detector, settings, tiling
        self._reader = Reader(detector.manifest, decode=settings.decode)
        self.in_flight = stage.in_flight
        self.notes: SimpleQueue[str] = stage.notes
        self._pictures = ThreadPoolExecutor(stage.in_flight + 1, "tiles")
        self._unreached = Unreached()
        self._shares: dict[Entry, float] = {}  # of the tiles of pictures under way
        self._closed = False

    @property
    def seconds(self) -> float:
        return self._stage.seconds

    @property
    def partly(self) -> float:
        return sum(list(self._shares.values()))

    def read(self, entry: Entry) -> Entry:
        """Reads nothing yet: a picture is decoded in its turn."""
        return entry

    def kind(self, picture: Entry) -> str:
        """Each picture has batches of its own."""
        return picture.name

    def submit(self, pictures: list[Entry]) -> Callable[[], list[DetectedPicture | PictureError]]:
        futures = [self._pictures.submit(self._outcome, entry) for entry in pictures]

        def wait() -> list[DetectedPicture | PictureError]:
            outcomes = [future.result() for future in futures]
            for entry in pictures:
                self._shares.pop(entry, None)
            return outcomes

        return wait

    def close(self) -> None:
        """Ends after the batches under way."""
        self._closed = True
        self._stage.close()
        self._pictures.shutdown(cancel_futures=True)

    def _outcome(self, entry: Entry) -> DetectedPicture | PictureError:
        try:
            with ExitStack() as stack:
                with self._unreached.counted():
                    regions = stack.enter_context(self._reader.regions(entry))
                return self._detected(entry, regions)
        except PictureError as exc:
            return exc

    def _detected(self, entry: Entry, regions: Regions) -> DetectedPicture:
        manifest = self._detector.manifest
        tiled = TiledPicture(regions, self._tiling, self._settings, manifest)
        ahead: deque[tuple[range, Computing]] = deque()

        def take() -> None:
            batch, computing = ahead.popleft()
            indices = iter(batch)
            for fits, part in computing:
                candidates = part.result()
                for position, fit in enumerate(fits):
                    found = detections_of(candidates, position, fit=fit, manifest=manifest, settings=tiled.in_tile)
                    tiled.add(next(indices), fit, found)
            self._shares[entry] = batch.stop / len(tiled.tiles)

        for batch in tiled.batches():
            if self._closed:
                raise JobStoppedError("the job was stopped")
            ahead.append((batch, self._stage.start([tiled.place(index) for index in batch])))
            if len(ahead) == BATCHES_AHEAD:
                take()
        while ahead:
            take()
        return DetectedPicture(tiled.picture_hw, tiled.joined().detections)
