"""Pictures in tiles: decoded, cut and inferred a few tiles at a time."""

from collections.abc import Callable, Iterator
from functools import partial

import anyio
from PIL import Image

from dirdet.detector.options import Settings
from dirdet.detector.postprocess import detections_of
from dirdet.detector.tiled import TiledPicture
from dirdet.detector.tiles import Tiling
from dirdet.engines.tensors import MAX_BATCH, Candidates
from dirdet.gateway.scheduling.admission import Seat
from dirdet.gateway.scheduling.concurrency import WorkerThreads, gather
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detectors import ServedDetector
from dirdet.pictures.canvas import PlacedPicture
from dirdet.pictures.regions import Decoded

# Of one picture, at most: while the engine computes one batch, the next is cut.
BATCHES_AT_ONCE = 2


class TiledInference:
    """Infers on the tiles of pictures; the pictures in memory are as many as there are threads that decode."""

    def __init__(self, limits: ServerLimits, decoding: WorkerThreads) -> None:
        """Takes the threads in which pictures are decoded and cut."""
        self._decoding = decoding
        self._pictures = anyio.CapacityLimiter(limits.decoders)

    async def infer(
        self, served: ServedDetector, read: Callable[[], Image.Image], tiling: Tiling, settings: Settings, seat: Seat
    ) -> tuple[TiledPicture, Image.Image]:
        """A picture with the detections of all its tiles, and the picture itself.

        Args:
            served: the detector.
            read: decodes the picture.
            tiling: how it is cut.
            settings: of the detections.
            seat: of the request.

        Raises:
            PictureError: the picture cannot be read, or makes too many tiles.
            ParameterError: the request has too many tiles.
            OverloadedError: there is no room for them.
            EngineError: the engine did not answer, or was too late.
        """
        async with self._pictures:
            picture = await self._decoding.run(read)
            tiled = TiledPicture(Decoded(picture), tiling, settings, served.detector.manifest)
            seat.cut(len(tiled.tiles), at_once=BATCHES_AT_ONCE * MAX_BATCH)
            batches = tiled.batches()
            await gather([partial(self._infer_batches, served, tiled, batches, seat)] * BATCHES_AT_ONCE)
        return tiled, picture

    async def _infer_batches(
        self, served: ServedDetector, tiled: TiledPicture, batches: Iterator[range], seat: Seat
    ) -> None:
        """Infers batches from an iterator that others share, until it ends."""
        for batch in batches:
            placed = await self._decoding.run(partial(_place, tiled, batch))
            candidates = await served.lane.detect(placed, tiled.in_tile, seat.deadline)
            await self._decoding.run(partial(_add, served, tiled, batch, placed, candidates))
            seat.answered(len(batch))


def _place(tiled: TiledPicture, batch: range) -> list[PlacedPicture]:
    return [tiled.place(index) for index in batch]


def _add(
    served: ServedDetector,
    tiled: TiledPicture,
    batch: range,
    placed: list[PlacedPicture],
    candidates: list[Candidates],
) -> None:
    for index, tile, found in zip(batch, placed, candidates, strict=True):
        manifest = served.detector.manifest
        tiled.add(index, tile.fit, detections_of(found, 0, fit=tile.fit, manifest=manifest, settings=tiled.in_tile))
