"""Writes roi_stage.pt and trunk.pt: for torch and torchvision alone, on any device."""

import copy
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from dirdet_export import signature
from dirdet_export.graph.detector import Detector
from dirdet_export.half import store_module_half
from dirdet_export.onnx_files import sample_request
from dirdet_export.quiet import expected_warnings

# A file inside the archive that lists inputs and outputs: TorchScript keeps no names of them.
SIGNATURE = "signature.json"


def write_roi_stage(detector: Detector, path: Path, *, predicts_iou: bool, half: bool) -> None:
    """Traces the RoI stage and saves it.

    Its inputs are the trunk's outputs and, after them, the request's tensors; the names of all are in the archive.

    Args:
        detector: whose stage it is.
        path: of the file.
        predicts_iou: it has a DIR head.
        half: store weights as float16; they are read as float32.
    """
    stage = detector.roi_stage
    canvas, picture_hw, *request = sample_request(predicts_iou=predicts_iou)
    with torch.no_grad():
        maps = detector.trunk(canvas, picture_hw)
    _write(
        stage,
        [*maps, picture_hw, *request],
        path,
        inputs=[*_maps(detector), *(spec.name for spec in signature.inputs(predicts_iou=predicts_iou)[1:])],
        outputs=[spec.name for spec in signature.outputs(predicts_iou=predicts_iou, mask_size=stage.mask_size)],
        half=half,
    )


def write_trunk_script(detector: Detector, path: Path, *, half: bool) -> None:
    """Traces the trunk and saves it: for an ONNX Runtime that lacks an operator of trunk.onnx.

    Args:
        detector: whose trunk it is.
        path: of the file.
        half: store weights as float16; they are read as float32.
    """
    _write(
        detector.trunk,
        sample_request(predicts_iou=False)[:2],
        path,
        inputs=[spec.name for spec in signature.inputs(predicts_iou=False)[:2]],
        outputs=_maps(detector),
        half=half,
    )


def _maps(detector: Detector) -> list[str]:
    stage = detector.roi_stage
    return signature.trunk_outputs(roi_levels=stage.levels, rpn_levels=stage.rpn_levels, semantic=stage.semantic)


def _write(
    module: nn.Module, tensors: list[Tensor], path: Path, *, inputs: list[str], outputs: list[str], half: bool
) -> None:
    if half:
        module = copy.deepcopy(module)
        store_module_half(module)
    with expected_warnings(), torch.no_grad():
        # The tracer's own check compares two runs of the same tensors; the tests compare other batches and canvases.
        traced = torch.jit.trace(module, tuple(tensors), check_trace=False)
        text = json.dumps({"inputs": inputs, "outputs": outputs})
        torch.jit.save(traced, str(path), _extra_files={SIGNATURE: text.encode()})
