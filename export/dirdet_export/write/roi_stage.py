"""Writes roi_stage.safetensors: weights and a description, without code."""

import json
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from dirdet_export.graph.description import describe
from dirdet_export.graph.detector import Detector
from dirdet_export.graph.roi_stage_file import HEADER
from dirdet_export.write import signature
from dirdet_export.write.float16_weights import MIN_ELEMENTS, STORED_HALF, is_half


def write_roi_stage(detector: Detector, path: Path, *, predicts_iou: bool, half: bool) -> None:
    """Writes the RoI stage.

    Its inputs are the trunk's outputs, followed by the request's tensors.

    Args:
        detector: has the RoI stage.
        path: of the file.
        predicts_iou: whether it has a DIR head.
        half: store matrices and kernels that float16 holds exactly as float16; they are read as float32.
    """
    stage = detector.roi_stage
    maps = signature.trunk_outputs(roi_levels=stage.levels, rpn_levels=stage.rpn_levels, semantic=stage.semantic)
    header = {
        "stage": describe(stage),
        "inputs": [*maps, *(spec.name for spec in signature.inputs(predicts_iou=predicts_iou)[1:])],
        "outputs": [spec.name for spec in signature.outputs(predicts_iou=predicts_iou, mask_size=stage.mask_size)],
    }
    weights = {name: values.detach().clone().contiguous() for name, values in stage.state_dict().items()}
    if half:
        weights |= {name: weights[name].half() for name in _stored_half(stage)}
    # Not save_file: only the owner could read its file.
    path.write_bytes(save(weights, metadata={HEADER: json.dumps(header)}))


def _stored_half(stage: nn.Module) -> list[str]:
    parts = ((name, part) for name, part in stage.named_modules() if isinstance(part, STORED_HALF))
    weights: list[tuple[str, Tensor]] = [(f"{name}.weight", part.weight) for name, part in parts]
    return [name for name, weight in weights if weight.numel() >= MIN_ELEMENTS and is_half(weight)]
