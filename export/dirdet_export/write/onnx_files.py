"""Writes detector.onnx and trunk.onnx."""

from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from dirdet_export.dissect.traceable import is_deformable
from dirdet_export.errors import ExportError
from dirdet_export.graph.detector import Detector
from dirdet_export.write import signature
from dirdet_export.write.float16_weights import store_onnx_half
from dirdet_export.write.known_warnings import expected_warnings
from dirdet_export.write.trace_errors import named_errors

# With RoiAlign's half_pixel (16) and LayerNormalization-free; ONNX Runtime 1.27 reads it, IR version 8.
OPSET = 17
# With DeformConv; IR version 9. ONNX Runtime has it from 1.25 on.
DEFORMABLE_OPSET = 19
CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})

# Any canvas is suitable for tracing if its sizes differ from all other dimensions. FPG takes only multiples of 64.
TRACED_HW = (192, 320)


def sample_request(*, predicts_iou: bool, batch: int = 2) -> list[Tensor]:
    """Inputs of detector.onnx for tracing, in order."""
    height, width = TRACED_HW
    pixels = torch.arange(batch * height * width * 3) % 251
    request = [
        pixels.to(torch.uint8).view(batch, height, width, 3),
        torch.tensor([[height - 7, width - 11]] * batch),
        torch.zeros(batch),
        torch.full((batch,), 0.5),
        torch.tensor(0.5),
    ]
    return request if predicts_iou else [*request[:3], request[4]]


def write_onnx(
    module: nn.Module,
    tensors: list[Tensor],
    path: Path,
    *,
    inputs: list[str],
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
    fixed: dict[str, dict[int, int]] | None = None,
    half: bool,
) -> None:
    """Exports a module, checks the graph and writes it.

    Args:
        module: in evaluation mode.
        tensors: its inputs, for tracing.
        path: of the file.
        inputs: names of its inputs.
        outputs: names of its outputs.
        dynamic: names of the variable dimensions, by tensor and position.
        fixed: sizes of outputs' dimensions that the exporter cannot infer, by output and position.
        half: store weights that float16 represents exactly as float16.

    Raises:
        ExportError: torch cannot export a part of the module, or the graph has control flow.
    """
    with named_errors(module, tensors, name=path.name), expected_warnings(), torch.no_grad():
        torch.onnx.export(
            module,
            tuple(tensors),
            str(path),
            dynamo=False,
            opset_version=DEFORMABLE_OPSET if is_deformable(module) else OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=dynamic,
            # Runtimes fold BatchNorm and constants themselves. Folding here would change the kernels, so that float16
            # would no longer represent them exactly.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    model = onnx.load(str(path))
    found = sorted({node.op_type for node in model.graph.node} & CONTROL_FLOW)
    if found:
        raise ExportError(f"{path.name}: expected a graph without control flow, found {', '.join(found)}")
    for tensor in model.graph.output:
        for axis, size in (fixed or {}).get(tensor.name, {}).items():
            tensor.type.tensor_type.shape.dim[axis].dim_value = size
    if half:
        store_onnx_half(model)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _dynamic(specs: list[signature.TensorSpec]) -> dict[str, dict[int, str]]:
    """The dimensions that vary from call to call; M and D are fixed."""
    axes = {
        spec.name: {axis: side for axis, side in enumerate(spec.shape) if side in ("B", "H", "W")} for spec in specs
    }
    return {name: {axis: str(side) for axis, side in sides.items()} for name, sides in axes.items() if sides}


def write_detector(detector: Detector, path: Path, *, predicts_iou: bool, half: bool) -> None:
    """Writes detector.onnx, the whole detector for the embedded engine.

    Raises:
        ExportError: the graph has control flow.
    """
    inputs = signature.inputs(predicts_iou=predicts_iou)
    outputs = signature.outputs(predicts_iou=predicts_iou, mask_size=detector.roi_stage.mask_size)
    sizes: dict[int | str, int] = {"M": detector.roi_stage.candidates.keep, "D": detector.roi_stage.keep}
    fixed = {
        spec.name: {
            axis: size for axis, side in enumerate(spec.shape) if isinstance(size := sizes.get(side, side), int)
        }
        for spec in outputs
    }
    write_onnx(
        detector,
        sample_request(predicts_iou=predicts_iou),
        path,
        inputs=[spec.name for spec in inputs],
        outputs=[spec.name for spec in outputs],
        dynamic=_dynamic([*inputs, *outputs]),
        fixed=fixed,
        half=half,
    )


def write_trunk(detector: Detector, path: Path, *, half: bool, trunk: nn.Module | None = None) -> None:
    """Writes trunk.onnx, which ONNX Runtime or TensorRT runs before the RoI stage.

    Args:
        detector: whose trunk it is.
        path: of the file.
        half: store weights that float16 holds without loss as float16.
        trunk: to write instead of the detector's own.

    Raises:
        ExportError: the graph has control flow.
    """
    inputs = signature.inputs(predicts_iou=False)[:2]
    stage = detector.roi_stage
    outputs = signature.trunk_outputs(roi_levels=stage.levels, rpn_levels=stage.rpn_levels, semantic=stage.semantic)
    maps = {name: {0: "B", 2: f"H_{name}", 3: f"W_{name}"} for name in outputs}
    write_onnx(
        detector.trunk if trunk is None else trunk,
        sample_request(predicts_iou=False)[:2],
        path,
        inputs=[spec.name for spec in inputs],
        outputs=outputs,
        dynamic={**_dynamic(inputs), **maps},
        half=half,
    )
