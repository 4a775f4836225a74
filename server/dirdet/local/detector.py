"""The detector in this process, asked as a client asks a gateway."""

from collections.abc import Generator, Iterable
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from dirdet.api.answers import detector_name
from dirdet.client.groups import Grouping
from dirdet.client.pictures import SentPicture, decoded, read, refuse_one
from dirdet.client.result import PictureResult
from dirdet.client.settings import PER_REQUEST, DetectParameters, checked_per_request
from dirdet.detection import Found
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions, Settings
from dirdet.errors import PictureError, counted
from dirdet.pictures.canvas import PlacedPicture, place_file
from dirdet.pictures.regions import Decoded

if TYPE_CHECKING:
    from dirdet.client.pictures import PictureInput
    from dirdet.engines.providers import ProviderName


def load(detector: "str | PathLike[str] | None" = None, *, provider: "ProviderName" = "auto") -> "LocalDetector":
    """Loads a detector into this process.

    Args:
        detector: folder of a bundle, or the name of a detector that comes with the package; None takes the default one.
        provider: ONNX Runtime's execution provider.

    Raises:
        BundleError: there is no such bundle, or it is broken.
        MissingExtraError: ONNX Runtime is not installed: `pip install 'dirdet[cpu]'`.
    """
    return LocalDetector(Detector.open(None if detector is None else Path(detector), provider=provider))


class LocalDetector:
    """A detector in this process, with the calls of `Client`. Safe to use from several threads.

    A picture is a path, bytes, a file opened in binary mode, a PIL image, or a uint8 array [height, width, 3] in RGB
    order. Boxes are in pixels of the upright picture; for a PIL image, in pixels of that image as it is.

    Attributes:
        name: of the detector.
        classes: names, in the order of `class_id`.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.name = detector.manifest.name
        self.classes = tuple(category.name for category in detector.manifest.categories)

    def __repr__(self) -> str:
        return f"LocalDetector({self.name!r}, {counted(len(self.classes), 'class')})"

    def detect(
        self,
        picture: "PictureInput",
        *,
        name: str | None = None,
        **parameters: Unpack[DetectParameters],
    ) -> PictureResult:
        """Detects on one picture.

        Args:
            picture: see the class.
            name: the name in the result; None takes the picture's own name.
            **parameters: score_threshold, nms_iou_threshold, nms, min_iou, iou_weight, max_detections,
                classes, tiles, join, decode.

        Raises:
            PictureError: the picture cannot be read.
            ParameterError: the argument is not a picture that the class lists, or a parameter is out of range.
            EngineError: the inference failed.
        """
        settings = self._settle(parameters)
        sent = read(picture, name=name, keep=True)
        [result] = self._detect_group([sent], settings)
        if result.error is not None:
            raise result.error
        return result

    def detect_many(
        self,
        pictures: "Iterable[PictureInput]",
        *,
        per_batch: int = PER_REQUEST,
        **parameters: Unpack[DetectParameters],
    ) -> list[PictureResult]:
        """As `detect_iter`, but returns all results at the end."""
        return list(self.detect_iter(pictures, per_batch=per_batch, **parameters))

    def detect_iter(
        self,
        pictures: "Iterable[PictureInput]",
        *,
        per_batch: int = PER_REQUEST,
        **parameters: Unpack[DetectParameters],
    ) -> Generator[PictureResult]:
        """Detects on pictures, which are read as they are needed; yields one result for each, in order.

        A picture that cannot be read gives a result with an error.

        Args:
            pictures: see the class.
            per_batch: pictures in memory at once, at most 64; those on canvases of one size share an inference.
            **parameters: as of `detect`.

        Raises:
            ParameterError: an element is not a picture that the class lists, or a parameter is out of range.
            EngineError: an inference failed.
        """
        refuse_one(pictures)
        return self._detect_iter(pictures, Grouping(checked_per_request(per_batch)), self._settle(parameters))

    def _detect_iter(
        self, pictures: "Iterable[PictureInput]", grouping: Grouping, settings: Settings
    ) -> Generator[PictureResult]:
        for picture in pictures:
            for group in grouping.add(read(picture)):
                yield from self._detect_group(group, settings)
        for group in grouping.rest():
            yield from self._detect_group(group, settings)

    def _settle(self, parameters: DetectParameters) -> Settings:
        given = {name: value for name, value in parameters.items() if value is not None}
        return self._detector.settle(DetectOptions.checked(**given))

    def _detect_group(self, group: list[SentPicture], settings: Settings) -> list[PictureResult]:
        if settings.tiling is not None:
            return [self._detect_in_tiles(picture, settings) for picture in group]
        placed = [self._place(picture, settings) for picture in group]
        readable = [each for each in placed if isinstance(each, PlacedPicture)]
        found = iter(self._detector.detect_placed(readable, settings))
        results: list[PictureResult] = []
        for picture, each in zip(group, placed, strict=True):
            if isinstance(each, PictureError):
                results.append(picture.failed(each))
            else:
                height, width = each.fit.picture_hw
                results.append(self._result(picture, (width, height), next(found), each.decoded_scale))
        return results

    def _detect_in_tiles(self, picture: SentPicture, settings: Settings) -> PictureResult:
        try:
            regions = Decoded(decoded(picture))
            return self._result(picture, regions.size, self._detector.detect_regions(regions, settings))
        except PictureError as exc:
            return picture.failed(exc)

    def _place(self, picture: SentPicture, settings: Settings) -> PlacedPicture | PictureError:
        if picture.error is not None:
            return picture.error
        try:
            return place_file(BytesIO(picture.data), self._detector.manifest, decode=settings.decode)
        except PictureError as exc:
            return exc

    def _result(
        self, picture: SentPicture, picture_wh: tuple[int, int], found: Found, decoded_scale: float = 1.0
    ) -> PictureResult:
        width, height = picture_wh
        told = detector_name(self._detector.manifest)
        return PictureResult(
            picture.name, width, height, tuple(found.detections),
            detector=told["name"], checkpoint_sha256=told["checkpoint_sha256"], decoded_scale=decoded_scale,
            picture=picture.source,
        )  # fmt: skip
