"""SAHI's own program around the same network: it cuts the picture, joins the boxes, and calls the detector between."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.detection import Detection
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.errors import MissingExtraError

# The version whose rules `--join` follows; what else it imports is in the environment of development.
INSTALL = "pip install --no-deps sahi==0.12.8"
# What SAHI takes if it is not told otherwise.
OVERLAP = 0.2


class SahiProgram:
    """`sahi.predict.get_sliced_prediction` on one picture."""

    def __init__(self, detector: Detector, pixels: Image.Image, tile_wh: tuple[int, int], *, batch_size: int) -> None:
        """Cuts nothing yet.

        Args:
            detector: the network.
            pixels: the picture.
            tile_wh: width and height of SAHI's slices.
            batch_size: slices that SAHI gives to the network at once; 1 is its default.

        Raises:
            MissingExtraError: SAHI is not installed.
        """
        try:
            self._predict: Any = importlib.import_module("sahi.predict")
            slicing: Any = importlib.import_module("sahi.slicing")
        except ModuleNotFoundError as exc:
            raise MissingExtraError(f"--sahi needs SAHI, which is not installed: {INSTALL}") from exc
        self._model = _model_of(detector)
        self._pixels, self._tile_wh, self._batch_size = pixels, tile_wh, batch_size
        self._threshold = detector.settle(DetectOptions()).nms_iou_threshold
        slices = slicing.get_slice_bboxes(
            pixels.height, pixels.width, tile_wh[1], tile_wh[0],
            overlap_width_ratio=OVERLAP, overlap_height_ratio=OVERLAP,
        )  # fmt: skip
        self.tiles = len(slices) + 1  # SAHI also detects the whole picture

    def boxes(self) -> int:
        """How many boxes it finds, joined by NMS, the rule of SAHI that costs least."""
        width, height = self._tile_wh
        found = self._predict.get_sliced_prediction(
            self._pixels, self._model, slice_width=width, slice_height=height, overlap_width_ratio=OVERLAP,
            overlap_height_ratio=OVERLAP, postprocess_type="NMS", postprocess_match_metric="IOU",
            postprocess_match_threshold=self._threshold, batch_size=self._batch_size, verbose=0,
        )  # fmt: skip
        return len(found.object_prediction_list)


def _model_of(detector: Detector) -> Any:  # noqa: ANN401 - SAHI is no dependency
    """The detector as one of SAHI's models, which infers a batch at once as its models of Ultralytics do."""
    base: Any = importlib.import_module("sahi.models.base")
    prediction: Any = importlib.import_module("sahi.prediction")

    class Model(base.DetectionModel):
        def load_model(self) -> None:
            self.model = detector

        def perform_inference(self, image: NDArray[np.uint8]) -> None:
            self.perform_batch_inference([image])

        def perform_batch_inference(self, images: Sequence[NDArray[np.uint8]]) -> None:
            self._original_predictions = detector.detect([Image.fromarray(image) for image in images])

        def _create_object_prediction_list_from_original_predictions(
            self, shift_amount_list: list[Any], full_shape_list: list[Any]
        ) -> None:
            answers: list[list[Detection]] = self._original_predictions
            whole = not isinstance(shift_amount_list[0], list)  # SAHI gives one pair for the whole picture
            shifts = [shift_amount_list] if whole else shift_amount_list
            shapes = [full_shape_list] if whole else full_shape_list
            self._object_prediction_list_per_image = [
                [
                    prediction.ObjectPrediction(
                        bbox=list(each.box_xyxy), category_id=each.category_id, category_name=each.label,
                        score=each.confidence, shift_amount=shift, full_shape=shape,
                    )
                    for each in detections
                ]
                for detections, shift, shape in zip(answers, shifts, shapes, strict=True)
            ]  # fmt: skip

    return Model(device="cpu")
