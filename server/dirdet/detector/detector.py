"""The detector: upright pictures to detections, with any engine."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dirdet.bundle.bundle import Manifest
from dirdet.bundle.shipped import open_bundle
from dirdet.detection import Detection, Found
from dirdet.detector.options import DetectOptions, Settings, settle
from dirdet.detector.postprocess import found_in
from dirdet.detector.tiled import TiledPicture
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet.engines.providers import ProviderName
from dirdet.engines.tensors import MAX_BATCH, CanvasBatch
from dirdet.pictures.canvas import Fit, PlacedPicture, place_picture
from dirdet.pictures.regions import Decoded, Regions


class Detector:
    """A bundle's manifest and the engine that runs it.

    Attributes:
        manifest: of the bundle.
        engine: runs the network.
        model_card: its bundle's README.md, if it has one.
    """

    def __init__(self, manifest: Manifest, engine: Engine, *, model_card: str | None = None) -> None:
        self.manifest = manifest
        self.engine = engine
        self.model_card = model_card

    @classmethod
    def open(cls, folder: Path | None = None, *, provider: ProviderName = "auto") -> "Detector":
        """Loads a bundle, by default the one that comes with the package.

        Raises:
            BundleError: no bundle, or a broken one.
            MissingExtraError: ONNX Runtime is not installed.
        """
        bundle = open_bundle(folder)
        return cls(bundle.manifest, make_engine(bundle, provider=provider), model_card=bundle.model_card())

    def settle(self, options: DetectOptions) -> Settings:
        """Settings of this detector for the options.

        Raises:
            ParameterError: the detector does not support an option.
        """
        return settle(options, self.manifest)

    def place(self, picture: Image.Image) -> PlacedPicture:
        """Places an upright RGB picture on the smallest canvas that fits it."""
        return place_picture(picture, self.manifest)

    def detect_placed(self, pictures: Sequence[PlacedPicture], settings: Settings) -> list[Found]:
        """Detections of each picture; pictures on canvases of one size share an inference.

        Raises:
            EngineError: the engine did not answer.
        """
        answers = [Found([])] * len(pictures)
        for members in inferences_of(pictures):
            shared = [pictures[index] for index in members]
            candidates = self.engine.detect(CanvasBatch.of(shared, [settings] * len(shared)))
            for position, index in enumerate(members):
                fit = pictures[index].fit
                answers[index] = found_in(candidates, position, fit=fit, manifest=self.manifest, settings=settings)
        return answers

    def detect_regions(self, regions: Regions, settings: Settings) -> Found:
        """Detections of one picture: in tiles if the settings say so, otherwise as a whole.

        Raises:
            PictureError: a part of the picture cannot be read, or it makes too many tiles.
            EngineError: the engine did not answer.
        """
        if settings.tiling is None:
            width, height = regions.size
            whole = regions.part((0, 0, width, height), least_hw=(height, width))
            return self.detect_placed([self.place(whole)], settings)[0]
        tiled = TiledPicture(regions, settings.tiling, settings, self.manifest)
        for batch in tiled.batches():
            placed = [tiled.place(index) for index in batch]
            for index, tile, found in zip(batch, placed, self.detect_placed(placed, tiled.in_tile), strict=True):
                tiled.add(index, tile.fit, found.detections)
        return tiled.joined()

    def detect(self, pictures: Sequence[Image.Image], options: DetectOptions | None = None) -> list[list[Detection]]:
        """Detections of upright RGB pictures (`dirdet.pictures.reading.read_picture`), most confident first.

        Raises:
            ParameterError: the detector does not support an option.
            EngineError: the engine did not answer.
        """
        settings = self.settle(options or DetectOptions())
        if settings.tiling is not None:
            return [self.detect_regions(Decoded(picture), settings).detections for picture in pictures]
        placed = [self.place(picture) for picture in pictures]
        return [found.detections for found in self.detect_placed(placed, settings)]

    def blanks(self) -> list[PlacedPicture]:
        """An empty picture on a canvas of every size, smallest first."""
        sizes = [(size.height, size.width) for size in self.manifest.canvases]
        return [PlacedPicture(np.zeros((*hw, 3), np.uint8), Fit(hw, hw, hw)) for hw in sizes]

    def warm_up(self) -> None:
        """Detects on an empty canvas of every size, so that the first request does not wait for initialisation."""
        settings = self.settle(DetectOptions())
        for blank in self.blanks():
            self.detect_placed([blank], settings)


def inferences_of(pictures: Sequence[PlacedPicture]) -> Iterator[list[int]]:
    """Positions of the pictures of each inference: canvases of one size, at most `MAX_BATCH`."""
    buckets: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        buckets[picture.fit.canvas_hw].append(index)
    for indices in buckets.values():
        for start in range(0, len(indices), MAX_BATCH):
            yield indices[start : start + MAX_BATCH]
