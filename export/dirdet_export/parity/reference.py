"""MMDetection's own prediction, the reference of the comparison; no traceable module is used."""

from dataclasses import dataclass
from types import MethodType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dirdet_export.parity.found_boxes import Floats, Found
from dirdet_export.parity.mask_match import mask_by_mmdet
from dirdet_export.write.known_warnings import expected_warnings


@dataclass(frozen=True, slots=True)
class NetworkBatch:
    """A batch as MMDetection's network takes it.

    Attributes:
        inputs: [B, 3, H, W], normalised and padded.
        samples: a DetDataSample for each picture; `img_shape` is the part that is picture.
    """

    inputs: Tensor
    samples: list[Any]


def as_mmdet_batch(pictures: list[NDArray[np.uint8]]) -> dict[str, Any]:
    """RGB pictures [h, w, 3], already resized, in the format of MMDetection's test pipeline."""
    # imported here: the plug-in that loaded the detector must be imported before
    from mmdet.structures import DetDataSample

    samples: list[Any] = []
    inputs: list[Tensor] = []
    for number, pixels in enumerate(pictures):
        shape = pixels.shape[:2]
        sample = DetDataSample()
        sample.set_metainfo({"img_id": number, "img_shape": shape, "ori_shape": shape, "scale_factor": (1.0, 1.0)})
        samples.append(sample)
        blue_first = np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1))  # [3, h, w]
        inputs.append(torch.from_numpy(blue_first))
    return {"inputs": inputs, "data_samples": samples}


def report_boxes_alone(model: Any) -> str | None:  # noqa: ANN401
    """Lets MMDetection report what a bundle does, in place: boxes, their scores and masks; returns a note for the user.

    After NMS, Mask Scoring R-CNN multiplies the scores of its detections by the predicted quality of their masks, and
    Panoptic FPN merges its detections with regions of stuff.
    """
    from mmdet.models import PanopticFPN
    from mmdet.models.detectors import BaseDetector, TwoStageDetector

    if isinstance(model, PanopticFPN):
        model.predict = MethodType(TwoStageDetector.predict, model)
        model.add_pred_to_datasample = MethodType(BaseDetector.add_pred_to_datasample, model)
        return "note: the bundle detects objects; Panoptic FPN's regions of stuff are not part of it"
    head = getattr(model.roi_head, "mask_iou_head", None)
    if head is None:
        return None
    head.predict_by_feat = lambda *, mask_iou_preds, results_list: results_list  # noqa: ARG005
    return (
        "note: the bundle's scores are those of the boxes; MMDetection multiplies them by the predicted quality of the "
        "masks (Mask Scoring R-CNN)"
    )


def prepare(model: nn.Module, batch: dict[str, Any], canvas_hw: tuple[int, int] | None = None) -> NetworkBatch:
    """Normalises and pads a batch with MMDetection's data preprocessor.

    Args:
        model: MMDetection's detector.
        batch: of its test pipeline.
        canvas_hw: pads further to these sides, pixels; None for MMDetection's own padding.
    """
    preprocessor: Any = model.data_preprocessor
    with torch.no_grad():
        ready: dict[str, Any] = preprocessor(batch, False)
    inputs: Tensor = ready["inputs"]
    if canvas_hw is not None:
        height, width = (side - own for side, own in zip(canvas_hw, inputs.shape[2:], strict=True))
        inputs = functional.pad(inputs, (0, width, 0, height), value=float(preprocessor.pad_value))
        for sample in ready["data_samples"]:
            sample.set_metainfo({"batch_input_shape": canvas_hw})
    return NetworkBatch(inputs, ready["data_samples"])


def detect(model: nn.Module, batch: NetworkBatch) -> list[Found]:
    """MMDetection's detections of each picture of a batch; boxes in pixels of `ori_shape`."""
    predictor: Any = model
    with torch.no_grad(), expected_warnings():
        samples: list[Any] = predictor.predict(batch.inputs, batch.samples, rescale=True)
    return [found_in(sample) for sample in samples]


def found_by_mmdet(model: nn.Module, pictures: list[NDArray[np.uint8]]) -> list[Found]:
    """Detections of the checkpoint's detector in one batch of pictures.

    Args:
        model: MMDetection's detector in evaluation mode, on the CPU.
        pictures: RGB [h, w, 3] each, resized; MMDetection pads them to one canvas.

    Returns:
        One per picture.
    """
    return detect(model, prepare(model, as_mmdet_batch(pictures)))


def _numbers(result: Any, name: str) -> Floats | None:  # noqa: ANN401
    values: Tensor | None = result.get(name)
    return None if values is None else values.numpy().astype(np.float64)


def found_in(sample: Any) -> Found:  # noqa: ANN401
    """Boxes from one of MMDetection's samples with predictions."""
    result: Any = sample.pred_instances
    confidence = result.scores.numpy().astype(np.float64)
    score = _numbers(result, "class_scores")
    return Found(
        boxes_xyxy=result.bboxes.numpy().astype(np.float64),
        class_id=result.labels.numpy().astype(np.int64),
        score=confidence if score is None else score,
        purity=_numbers(result, "purity"),
        integrity=_numbers(result, "integrity"),
        iou=_numbers(result, "ious"),
        confidence=confidence,
        masks=[mask_by_mmdet(mask) for mask in result.masks] if "masks" in result else None,
    )
