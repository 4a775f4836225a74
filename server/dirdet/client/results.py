"""What was found in one picture, with its figures as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dirdet.detection import Detection
from dirdet.errors import DirdetError


@dataclass(frozen=True)
class ImageResult:
    """The detections of one picture, most confident first, or why there are none.

    Arrays have one row for each detection, in its order. Figures that the detector does not predict are NaN.

    Attributes:
        name: the picture's: its path as given, or the name it was sent under.
        width: of the upright picture, pixels; 0 where there is an error, as the height.
        height: of the upright picture, pixels.
        detections: none where there is an error.
        error: why the picture could not be read; None where it could.
        detector: the name of the one that answered; empty where there is an error, as the next.
        checkpoint_sha256: of that detector.
    """

    name: str
    width: int
    height: int
    detections: tuple[Detection, ...] = ()
    error: DirdetError | None = None
    detector: str = ""
    checkpoint_sha256: str = ""

    def __len__(self) -> int:
        """How many detections."""
        return len(self.detections)

    def __bool__(self) -> bool:
        """True, also without detections: this is an answer."""
        return True

    def __iter__(self) -> Iterator[Detection]:
        """The detections."""
        return iter(self.detections)

    @property
    def boxes_xyxy(self) -> NDArray[np.float64]:
        """[N, 4], pixels of the upright picture."""
        return np.array([each.box_xyxy for each in self.detections], np.float64).reshape(-1, 4)

    @property
    def labels(self) -> list[str]:
        """[N] names of classes."""
        return [each.label for each in self.detections]

    @property
    def class_ids(self) -> NDArray[np.int64]:
        """[N], from 0."""
        return np.array([each.class_id for each in self.detections], np.int64)

    @property
    def category_ids(self) -> NDArray[np.int64]:
        """[N], the data set's own numbers."""
        return np.array([each.category_id for each in self.detections], np.int64)

    @property
    def scores(self) -> NDArray[np.float64]:
        """[N] the classifier's probabilities."""
        return self._figures("score")

    @property
    def confidences(self) -> NDArray[np.float64]:
        """[N] score^(1-w) * iou^w, never rising."""
        return self._figures("confidence")

    @property
    def ious(self) -> NDArray[np.float64]:
        """[N] predicted localization confidences."""
        return self._figures("iou")

    @property
    def purities(self) -> NDArray[np.float64]:
        """[N] predicted overlap / area of the box."""
        return self._figures("purity")

    @property
    def integrities(self) -> NDArray[np.float64]:
        """[N] predicted overlap / area of the object."""
        return self._figures("integrity")

    @property
    def masks(self) -> NDArray[np.bool_] | None:
        """[N, height, width]; None where a detection has no mask. Decoded anew each time."""
        masks = [each.mask.decode() for each in self.detections if each.mask is not None]
        if len(masks) < len(self.detections) or not masks:
            return None
        return np.stack(masks)

    def _figures(self, name: str) -> NDArray[np.float64]:
        return np.array([getattr(each, name) for each in self.detections], np.float64)  # None becomes NaN
