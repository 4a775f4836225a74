"""The detections of one picture, with their figures as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dirdet.detection import FIGURES, Detection
from dirdet.errors import DirdetError, ParameterError


@dataclass(frozen=True)
class ImageResult:
    """The detections of one picture, most confident first, or the error that prevented them.

    Arrays have one row per detection, in the same order. Figures that the detector does not predict are NaN.

    Attributes:
        name: the picture's path as given, or the file name in the request.
        width: of the upright picture, pixels; 0 if there is an error.
        height: of the upright picture, pixels; 0 if there is an error.
        detections: empty if there is an error.
        error: why the picture could not be read; None if it could.
        detector: name of the detector that answered; empty if there is an error.
        checkpoint_sha256: of that detector; empty if there is an error.
        decoded_scale: of the picture's own size, at which its file was decoded; below 1 only of a JPEG, with `decode`
            scaled.
        sent_scale: of the picture's own size, at which the client sent it; below 1 only if the client shrinks.
    """

    name: str
    width: int
    height: int
    detections: tuple[Detection, ...] = ()
    error: DirdetError | None = None
    detector: str = ""
    checkpoint_sha256: str = ""
    decoded_scale: float = 1.0
    sent_scale: float = 1.0

    def __len__(self) -> int:
        return len(self.detections)

    def __bool__(self) -> bool:
        """True, even without detections."""
        return True

    def __iter__(self) -> Iterator[Detection]:
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
        """[N], the category numbers of the data set."""
        return np.array([each.category_id for each in self.detections], np.int64)

    @property
    def scores(self) -> NDArray[np.float64]:
        """[N] probability of the classifier."""
        return self.figures("score")

    @property
    def confidences(self) -> NDArray[np.float64]:
        """[N] score^(1-w) * iou^w, in falling order."""
        return self.figures("confidence")

    @property
    def ious(self) -> NDArray[np.float64]:
        """[N] predicted localization confidences."""
        return self.figures("iou")

    @property
    def purities(self) -> NDArray[np.float64]:
        """[N] predicted overlap / area of the box."""
        return self.figures("purity")

    @property
    def integrities(self) -> NDArray[np.float64]:
        """[N] predicted overlap / area of the object."""
        return self.figures("integrity")

    @property
    def masks(self) -> NDArray[np.bool_] | None:
        """[N, height, width]; None if a detection has no mask. Decoded on each call."""
        masks = [each.mask.decode() for each in self.detections if each.mask is not None]
        if len(masks) < len(self.detections) or not masks:
            return None
        return np.stack(masks)

    def figures(self, name: str) -> NDArray[np.float64]:
        """[N] of a field that is a number in 0..1, by its name in `Detection`, as score_calibrated.

        Raises:
            ParameterError: `Detection` has no such field.
        """
        if name not in FIGURES:
            raise ParameterError("name", f"expected one of {', '.join(FIGURES)}, found {name!r}")
        return np.array([getattr(each, name) for each in self.detections], np.float64)  # None becomes NaN
