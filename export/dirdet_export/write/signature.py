"""Names, types, shapes and units of an exported detector's inputs and outputs."""

from dirdet.bundle.bundle import TensorSpec

PIXELS = "pixels of the canvas"
PROBABILITY = "0..1"


def inputs(*, predicts_iou: bool) -> list[TensorSpec]:
    """Inputs of detector.onnx in order; a plain detector has no iou_weight."""
    specs = [
        TensorSpec(name="canvas", dtype="uint8", shape=["B", "H", "W", 3], unit="RGB, 0..255; H, W multiples of 32"),
        TensorSpec(name="picture_hw", dtype="int64", shape=["B", 2], unit=PIXELS),
        TensorSpec(name="score_threshold", dtype="float32", shape=["B"], unit=PROBABILITY),
        TensorSpec(name="iou_weight", dtype="float32", shape=["B"], unit=PROBABILITY),
        TensorSpec(name="nms_iou_threshold", dtype="float32", shape=[], unit=PROBABILITY),
    ]
    return [spec for spec in specs if predicts_iou or spec.name != "iou_weight"]


def outputs(*, predicts_iou: bool, mask_size: int | None = None) -> list[TensorSpec]:
    """Outputs of detector.onnx in order; a plain detector has no purity and integrity.

    Args:
        predicts_iou: whether it has a DIR head.
        mask_size: cells along each side of a mask; None without masks.
    """
    specs = [
        TensorSpec(name="boxes", dtype="float32", shape=["B", "M", 4], unit=f"xyxy, {PIXELS}"),
        TensorSpec(name="class_id", dtype="int64", shape=["B", "M"], unit="position in categories"),
        TensorSpec(name="score", dtype="float32", shape=["B", "M"], unit=PROBABILITY),
        TensorSpec(name="purity", dtype="float32", shape=["B", "M"], unit=PROBABILITY),
        TensorSpec(name="integrity", dtype="float32", shape=["B", "M"], unit=PROBABILITY),
        TensorSpec(name="num_candidates", dtype="int64", shape=["B"], unit="candidates"),
        TensorSpec(name="kept", dtype="int64", shape=["B", "D"], unit="position among the candidates"),
        TensorSpec(name="num_detections", dtype="int64", shape=["B"], unit="detections"),
    ]
    if mask_size is not None:
        shape = ["B", "D", mask_size, mask_size]
        specs.append(TensorSpec(name="mask", dtype="float32", shape=shape, unit=f"{PROBABILITY}, over a kept box"))
    return [spec for spec in specs if predicts_iou or spec.name not in ("purity", "integrity")]


def trunk_outputs(*, roi_levels: int, rpn_levels: int, semantic: bool = False) -> list[str]:
    """Outputs of trunk.onnx in order, which are the first inputs of the RoI stage; finest level first in each group."""
    return [
        *(f"level_{number}" for number in range(roi_levels)),
        *(["semantic"] if semantic else []),
        *(f"objectness_{number}" for number in range(rpn_levels)),
        *(f"deltas_{number}" for number in range(rpn_levels)),
    ]
