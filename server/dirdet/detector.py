"""The detector: upright pictures in, detections out, whichever engine computes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.bundle import Manifest
from dirdet.canvas import Fit, fit_picture, paint
from dirdet.detection import Detection
from dirdet.engines.base import Engine, RemoteEngine
from dirdet.engines.factory import make_engine
from dirdet.engines.providers import ProviderName
from dirdet.found import Found, found_in
from dirdet.options import DetectOptions, Settings, settle
from dirdet.shipped import open_bundle
from dirdet.tensors import CanvasBatch, Row
from dirdet.together import together

# Canvases of one inference: bounds memory, and beyond a few a batch gains nothing.
MAX_BATCH = 8


@dataclass(frozen=True, slots=True)
class PlacedPicture:
    """A picture ready for the network; the picture itself is no longer needed.

    Attributes:
        canvas: [H, W, 3] RGB.
        fit: where on it the picture lies.
    """

    canvas: NDArray[np.uint8]
    fit: Fit


class Detector:
    """A bundle's manifest and the engine that runs it.

    Attributes:
        manifest: what the detector says about itself.
        engine: what computes.
        model_card: its bundle's README.md, if it has one.
    """

    def __init__(self, manifest: Manifest, engine: Engine, *, model_card: str | None = None) -> None:
        """Puts them together."""
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
        """What the options mean for this detector.

        Raises:
            ParameterError: they ask for what it cannot do.
        """
        return settle(options, self.manifest)

    def place(self, picture: Image.Image) -> PlacedPicture:
        """An upright RGB picture on the canvas that fits it."""
        return place_picture(picture, self.manifest)

    def detect_placed(self, pictures: Sequence[PlacedPicture], settings: Settings) -> list[Found]:
        """What is found in each picture; pictures on canvases of one size share an inference.

        Raises:
            EngineError: the engine did not answer.
        """
        answers = [Found([])] * len(pictures)
        for members in _inferences(pictures):
            shared = [pictures[index] for index in members]
            candidates = self.engine.detect(canvas_batch(shared, [settings] * len(shared)))
            for position, index in enumerate(members):
                answers[index] = self.found(Row(candidates, position), pictures[index].fit, settings)
        return answers

    async def detect_remotely(
        self, engine: RemoteEngine, pictures: Sequence[PlacedPicture], settings: Settings, *, timeout_s: float
    ) -> list[Row]:
        """The engine's answer to each picture, of all inferences at once and without a thread.

        Args:
            engine: this detector's own.
            pictures: on canvases of any of its sizes.
            settings: which detections are wanted.
            timeout_s: for all of them.

        Raises:
            DeadlineError: the engine did not answer in time.
            EngineError: it did not answer.
        """
        answers: dict[int, Row] = {}

        async def infer(members: Sequence[int]) -> None:
            shared = [pictures[index] for index in members]
            candidates = await engine.detect_within(canvas_batch(shared, [settings] * len(shared)), timeout_s=timeout_s)
            answers.update({index: Row(candidates, position) for position, index in enumerate(members)})

        await together([partial(infer, members) for members in _inferences(pictures)])
        return [answers[index] for index in range(len(pictures))]

    def found(self, row: Row, fit: Fit, settings: Settings) -> Found:
        """What is wanted of the candidates of one picture that was placed so."""
        return found_in(row.candidates, row.position, fit=fit, manifest=self.manifest, settings=settings)

    def detect(self, pictures: Sequence[Image.Image], options: DetectOptions | None = None) -> list[list[Detection]]:
        """Detections of upright RGB pictures (`dirdet.pictures.read_picture`), most confident first.

        Raises:
            ParameterError: the options ask for what this detector cannot do.
            EngineError: the engine did not answer.
        """
        settings = self.settle(options or DetectOptions())
        placed = [self.place(picture) for picture in pictures]
        return [found.detections for found in self.detect_placed(placed, settings)]

    def blanks(self) -> list[PlacedPicture]:
        """An empty picture on a canvas of every size, smallest first."""
        sizes = [(size.height, size.width) for size in self.manifest.canvases]
        return [PlacedPicture(np.zeros((*hw, 3), np.uint8), Fit(hw, hw, hw)) for hw in sizes]

    def warm_up(self) -> None:
        """Detects on an empty canvas of every size, so that the first request does not pay for what is set up once."""
        settings = self.settle(DetectOptions())
        for blank in self.blanks():
            self.detect_placed([blank], settings)


def place_picture(picture: Image.Image, manifest: Manifest) -> PlacedPicture:
    """An upright RGB picture on the canvas of a detector that fits it."""
    rule = manifest.resize
    fit = fit_picture((picture.height, picture.width), rule=rule, canvases=manifest.canvases)
    return PlacedPicture(paint(picture, fit, rule=rule), fit)


def _inferences(pictures: Sequence[PlacedPicture]) -> Iterator[list[int]]:
    """Positions of the pictures of each inference: canvases of one size, at most `MAX_BATCH`."""
    buckets: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        buckets[picture.fit.canvas_hw].append(index)
    for indices in buckets.values():
        for start in range(0, len(indices), MAX_BATCH):
            yield indices[start : start + MAX_BATCH]


def canvas_batch(pictures: Sequence[PlacedPicture], settings: Sequence[Settings]) -> CanvasBatch:
    """What an engine is given for pictures on canvases of one size.

    Args:
        pictures: at least one.
        settings: of each; of one `nms_iou_threshold`.
    """
    return CanvasBatch(
        canvas=_stacked([picture.canvas for picture in pictures]),
        picture_hw=np.array([picture.fit.resized_hw for picture in pictures], np.int64),  # [B, 2]
        score_threshold=np.array([each.score_threshold for each in settings], np.float32),
        iou_weight=np.array([each.iou_weight for each in settings], np.float32),
        nms_iou_threshold=settings[0].nms_iou_threshold,
    )


def _stacked(canvases: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """[B, H, W, 3] of canvases [H, W, 3]; a single one is not copied."""
    return canvases[0][None] if len(canvases) == 1 else np.stack(canvases)
