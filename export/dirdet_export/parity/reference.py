"""MMDetection's own prediction: one side of the comparison, without any traceable module."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dirdet_export.parity.found import Floats, Found
from dirdet_export.parity.mask_match import mask_by_mmdet
from dirdet_export.quiet import expected_warnings


def as_mmdet_batch(pictures: list[NDArray[np.uint8]]) -> dict[str, Any]:
    """RGB pictures [h, w, 3] as MMDetection's test pipeline would pack them, already resized."""
    from mmdet.structures import DetDataSample  # the plug-in that loaded the detector must have been imported before

    samples: list[Any] = []
    inputs: list[torch.Tensor] = []
    for number, pixels in enumerate(pictures):
        shape = pixels.shape[:2]
        sample = DetDataSample()
        sample.set_metainfo({"img_id": number, "img_shape": shape, "ori_shape": shape, "scale_factor": (1.0, 1.0)})
        samples.append(sample)
        blue_first = np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1))  # [3, h, w]
        inputs.append(torch.from_numpy(blue_first))
    return {"inputs": inputs, "data_samples": samples}


def _numbers(result: Any, name: str) -> Floats | None:  # noqa: ANN401
    values: torch.Tensor | None = result.get(name)
    return None if values is None else values.numpy().astype(np.float64)


def found_by_mmdet(model: nn.Module, pictures: list[NDArray[np.uint8]]) -> list[Found]:
    """What the checkpoint's detector finds in pictures that make one batch.

    Args:
        model: MMDetection's detector in evaluation mode, on the CPU.
        pictures: RGB [h, w, 3] each, resized; MMDetection pads them to one canvas.

    Returns:
        One for each picture.
    """
    with torch.no_grad(), expected_warnings():
        samples: list[Any] = model.test_step(as_mmdet_batch(pictures))  # pyright: ignore[reportCallIssue]
    return [found_in(sample) for sample in samples]


def found_in(sample: Any) -> Found:  # noqa: ANN401
    """What one of MMDetection's answered samples holds."""
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
