"""The supported architectures and settings, and the one-line errors for all others."""

# First: the plug-in provides the mmcv operators that MMDetection imports.
from dirdet_training.mm.roi_heads import (
    DIRCascadeRoIHead,
    DIRDoubleHeadRoIHead,
    DIRHybridTaskCascadeRoIHead,
    DIRMaskScoringRoIHead,
    DIRPointRendRoIHead,
    DIRSCNetRoIHead,
    DIRStandardRoIHead,
    DIRTridentRoIHead,
    DIRTSDRoIHead,
)
from dirdet_training.mm.tsd import TSDRoIHead

# isort: split
from typing import Any

from mmdet.models import CascadeRoIHead, StandardRoIHead
from mmdet.models.roi_heads import (
    DoubleHeadRoIHead,
    DynamicRoIHead,
    HybridTaskCascadeRoIHead,
    MaskScoringRoIHead,
    PISARoIHead,
    PointRendRoIHead,
    SCNetRoIHead,
    TridentRoIHead,
)
from mmdet.models.task_modules import BucketingBBoxCoder, DeltaXYWHBBoxCoder, LegacyDeltaXYWHBBoxCoder
from torch import nn

from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.side_head import BucketDecoder

# Dynamic R-CNN and PISA predict as Faster R-CNN does, and TridentNet does so with one of its branches. Mask Scoring
# R-CNN's scores of masks are not part of a bundle; its boxes and masks are those of Mask R-CNN.
ONE_STAGE = (
    StandardRoIHead,
    DIRStandardRoIHead,
    DynamicRoIHead,
    PISARoIHead,
    MaskScoringRoIHead,
    DIRMaskScoringRoIHead,
    PointRendRoIHead,
    DIRPointRendRoIHead,
    TridentRoIHead,
    DIRTridentRoIHead,
)
POINT_REND = (PointRendRoIHead, DIRPointRendRoIHead)
DOUBLE_HEAD = (DoubleHeadRoIHead, DIRDoubleHeadRoIHead)
TSD = (TSDRoIHead, DIRTSDRoIHead)
CASCADE = (CascadeRoIHead, DIRCascadeRoIHead)
HTC = (HybridTaskCascadeRoIHead, DIRHybridTaskCascadeRoIHead)
SCNET = (SCNetRoIHead, DIRSCNetRoIHead)
SUPPORTED = (
    "Faster, Mask, Cascade, Double-Head, Mask Scoring and Dynamic R-CNN, PISA, TridentNet, PointRend, TSD, HTC, SCNet "
    "and Panoptic FPN, with RPNHead or GARPNHead, and SingleRoIExtractor or GenericRoIExtractor"
)


def require(actual: object, expected: object, *, name: str) -> None:
    """Checks a setting against the value that the exported graph reproduces.

    Raises:
        UnsupportedError: `actual` differs from `expected`.
    """
    if actual != expected:
        raise UnsupportedError(f"export supports {name} = {expected!r} only; this detector has {actual!r}")


def require_type(part: object, *types: type, name: str) -> None:
    """Checks the type of a part.

    Raises:
        UnsupportedError: the part has none of the types.
    """
    if type(part) not in types:
        names = " or ".join(known.__name__ for known in types)
        raise UnsupportedError(
            f"export supports {SUPPORTED}; this detector's {name} is {type(part).__name__}, expected {names}"
        )


def read_decoder(coder: Any, *, name: str) -> BoxDecoder:  # noqa: ANN401
    """The decoder that corresponds to a detector's box coder.

    Raises:
        UnsupportedError: another coder, or a setting that the graph does not support.
    """
    require_type(coder, DeltaXYWHBBoxCoder, LegacyDeltaXYWHBBoxCoder, name=name)
    if isinstance(coder, LegacyDeltaXYWHBBoxCoder):
        return BoxDecoder(means=list(coder.means), stds=list(coder.stds), added=1)
    require(coder.add_ctr_clamp, False, name=f"{name}.add_ctr_clamp")
    return BoxDecoder(means=list(coder.means), stds=list(coder.stds), clip=bool(coder.clip_border))


def read_bucket_decoder(coder: Any) -> BucketDecoder:  # noqa: ANN401
    """The decoder that corresponds to SABL's coder."""
    require_type(coder, BucketingBBoxCoder, name="roi_head.bbox_head.bbox_coder")
    return BucketDecoder(buckets=int(coder.num_buckets), scale=float(coder.scale_factor), clip=bool(coder.clip_border))


def last_of(parts: Any) -> Any:  # noqa: ANN401
    """The last stage's part of a cascade, or the part itself if there are no stages."""
    return parts[-1] if isinstance(parts, nn.ModuleList) else parts


def has_semantic(roi_head: Any) -> bool:  # noqa: ANN401
    """Whether the RoI head is HTC's or SCNet's with a semantic branch."""
    return isinstance(roi_head, (*HTC, *SCNET)) and bool(roi_head.with_semantic)
