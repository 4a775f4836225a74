"""What export supports, and how it refuses the rest: in one line that says what was found."""

# First: the plug-in gives mmcv the operators that MMDetection imports.
from dirdet_training.mm.roi_heads import (
    DIRCascadeRoIHead,
    DIRDoubleHeadRoIHead,
    DIRHybridTaskCascadeRoIHead,
    DIRStandardRoIHead,
    DIRTSDRoIHead,
)
from dirdet_training.mm.tsd import TSDRoIHead

# isort: split
from collections.abc import Mapping
from typing import Any

from mmdet.models import CascadeRoIHead, StandardRoIHead
from mmdet.models.roi_heads import DoubleHeadRoIHead, HybridTaskCascadeRoIHead
from mmdet.models.task_modules import DeltaXYWHBBoxCoder
from torch import nn

from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.boxes import BoxDecoder

ONE_STAGE = (StandardRoIHead, DIRStandardRoIHead)
DOUBLE_HEAD = (DoubleHeadRoIHead, DIRDoubleHeadRoIHead)
TSD = (TSDRoIHead, DIRTSDRoIHead)
CASCADE = (CascadeRoIHead, DIRCascadeRoIHead)
HTC = (HybridTaskCascadeRoIHead, DIRHybridTaskCascadeRoIHead)
SUPPORTED = "Faster, Mask, Cascade and Double-Head R-CNN, TSD and HTC with RPNHead and SingleRoIExtractor"


def require(actual: object, expected: object, *, name: str) -> None:
    """Refuses a setting whose value the exported graph could not reproduce.

    Raises:
        UnsupportedError: actual is not expected.
    """
    if actual != expected:
        raise UnsupportedError(f"export supports {name} = {expected!r} only; this detector has {actual!r}")


def require_type(part: object, *types: type, name: str) -> None:
    """Refuses a part of another type.

    Raises:
        UnsupportedError: part is of none of the types.
    """
    if type(part) not in types:
        names = " or ".join(known.__name__ for known in types)
        raise UnsupportedError(
            f"export supports {SUPPORTED}; this detector's {name} is {type(part).__name__}, expected {names}"
        )


def nms_threshold(config: Mapping[str, Any], *, name: str) -> float:
    """The IoU threshold of an NMS's config.

    Raises:
        UnsupportedError: another NMS than the plain one, or a setting that it lacks.
    """
    require(config.get("type", "nms"), "nms", name=f"{name}.type")
    known = {"type", "iou_threshold", "split_thr", "class_agnostic"}
    unknown = sorted(set(config) - known)
    require(unknown, [], name=f"settings of {name} beside iou_threshold")
    require(bool(config.get("class_agnostic", False)), False, name=f"{name}.class_agnostic")
    return float(config["iou_threshold"])


def read_decoder(coder: Any, *, name: str) -> BoxDecoder:  # noqa: ANN401
    """What decodes as a detector's box coder does.

    Raises:
        UnsupportedError: another coder, or a setting that the graph lacks.
    """
    require_type(coder, DeltaXYWHBBoxCoder, name=name)
    require(coder.add_ctr_clamp, False, name=f"{name}.add_ctr_clamp")
    return BoxDecoder(means=list(coder.means), stds=list(coder.stds), clip=coder.clip_border)


def last_of(parts: Any) -> Any:  # noqa: ANN401
    """A cascade's last stage of something, or the thing itself where there are no stages."""
    return parts[-1] if isinstance(parts, nn.ModuleList) else parts


def has_semantic(roi_head: Any) -> bool:  # noqa: ANN401
    """Whether it is HTC's with a semantic branch."""
    return isinstance(roi_head, HTC) and bool(roi_head.with_semantic)
