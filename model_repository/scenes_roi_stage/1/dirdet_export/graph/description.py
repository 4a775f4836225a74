"""A RoI stage as data: its parts and their settings, without code."""

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from dirdet_export.graph.box_heads import Cascade, MovedHeads, OneHead, Stage, TwoHeads
from dirdet_export.graph.boxes import LEAST_RATIO, BoxDecoder
from dirdet_export.graph.candidates import Candidates, SeesawCandidates, SigmoidCandidates
from dirdet_export.graph.guided_anchors import GuidedProposals
from dirdet_export.graph.heads import ApartHead, FlowHead, MovingHead, PurityHead, Residual, SharedHead, UnitLength
from dirdet_export.graph.masks import MaskFlow, MaskHead, Masks, MaskVotes, RelayedMaskHead
from dirdet_export.graph.other_poolings import FusedPooling, SharedPooling, SummedPooling
from dirdet_export.graph.point_masks import PointMaskHead
from dirdet_export.graph.position_attention import PositionAttention
from dirdet_export.graph.proposals import Proposals
from dirdet_export.graph.pyramid import PyramidPooling
from dirdet_export.graph.reassembly import Reassembly
from dirdet_export.graph.roi_stage import RoIStage
from dirdet_export.graph.side_head import BucketDecoder, SideHead

Description: TypeAlias = dict[str, Any]

_PROPOSALS = ("base_anchors", "strides_wh", "decoder", "per_level", "keep", "iou_threshold", "min_side")
_CANDIDATES = ("pooling", "box_heads", "decoder", "classes", "class_agnostic", "keep")
_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
# All parts with the parameters of their constructors; each part has attributes of the same names.
SETTINGS: Mapping[type[nn.Module], tuple[str, ...]] = {
    RoIStage: ("proposals", "candidates", "dir_head", "levels", "keep", "masks", "semantic"),
    Proposals: _PROPOSALS,
    GuidedProposals: (*_PROPOSALS, "anchor_decoder"),
    Candidates: _CANDIDATES,
    SeesawCandidates: _CANDIDATES,
    SigmoidCandidates: _CANDIDATES,
    BoxDecoder: ("means", "stds", "clip"),
    BucketDecoder: ("buckets", "scale", "clip"),
    PyramidPooling: ("strides", "finest_scale", "output_size", "sampling_ratio"),
    FusedPooling: ("pyramid", "semantic"),
    SharedPooling: ("pyramid", "layers", "output_size"),
    SummedPooling: ("pyramid", "before", "after"),
    PositionAttention: ("channels", "heads", "side", "stride"),
    OneHead: ("pooling", "head"),
    TwoHeads: ("pooling", "head", "enlarge"),
    MovedHeads: ("pooling", "head", "shift", "deform"),
    Stage: ("look", "decoder", "class_agnostic"),
    Cascade: ("stages",),
    Masks: ("heads", "size", "class_agnostic"),
    MaskHead: ("pooling", "head"),
    RelayedMaskHead: ("pooling", "head", "box_pooling", "box_layers", "relay", "side"),
    PointMaskHead: ("coarse", "layers", "last", "stride", "pooled", "side", "steps", "points", "again"),
    MaskVotes: ("pooling", "heads"),
    MaskFlow: ("pooling", "heads", "tell"),
    SharedHead: ("shared", "classes", "boxes"),
    ApartHead: ("classes", "boxes"),
    MovingHead: ("classes", "boxes", "look", "shift", "deform", "offset_scale"),
    SideHead: ("classes", "shared", "attention", "columns", "rows", "buckets", "offsets"),
    PurityHead: ("purity", "integrity"),
    FlowHead: ("entry", "layers"),
    Residual: ("body", "skip"),
    UnitLength: ("temperature", "power", "eps"),
    Reassembly: ("compressor", "encoder", "side", "groups", "factor"),
    nn.Linear: ("in_features", "out_features", "bias"),
    nn.Conv2d: _CONVOLUTION,
    nn.Conv1d: _CONVOLUTION,
    nn.ConvTranspose2d: (*_CONVOLUTION, "output_padding"),
    nn.ConvTranspose1d: (*_CONVOLUTION, "output_padding"),
    nn.BatchNorm2d: ("num_features", "eps"),
    nn.GroupNorm: ("num_groups", "num_channels", "eps", "affine"),
    nn.AvgPool2d: ("kernel_size",),
    nn.ReLU: (),
    nn.Flatten: (),
}
# Settings that a description leaves out at these values, as the descriptions from before they existed do.
UNSET: Mapping[type[nn.Module], Description] = {
    RoIStage: {"multiple": 1, "at_least_hw": [0, 0], "nms_over_classes": False, "judged": None},
    BoxDecoder: {"added": 0, "least_ratio": LEAST_RATIO},
    PyramidPooling: {"aligned": True, "inside": True},
    Residual: {"relu": True},
}
_KINDS = {kind.__name__: kind for kind in SETTINGS}
# The only setting of a Sequential, and the key of a part's name.
LAYERS, PART = "layers", "part"


def describe(part: nn.Module) -> Description:
    """The part's name and settings, and those of its own parts, as JSON-compatible values.

    Raises:
        ValueError: a part of another type.
    """
    if isinstance(part, nn.Sequential):
        return {PART: "Sequential", LAYERS: [describe(layer) for layer in part]}
    # mmcv's convolutions are described as torch's, which they are subclasses of.
    kind = type(part) if type(part) in SETTINGS else _KINDS.get(type(part).__name__)
    if kind is None or not isinstance(part, kind):
        raise ValueError(f"a RoI stage's description has no part {type(part).__name__}")
    told = {name: _told(getattr(part, name), name) for name in SETTINGS[kind]}
    extra = {name: (_told(getattr(part, name), name), unset) for name, unset in UNSET.get(kind, {}).items()}
    return {PART: kind.__name__, **told, **{name: value for name, (value, unset) in extra.items() if value != unset}}


def _told(value: Any, name: str) -> Any:  # noqa: ANN401
    if name == "bias":
        return value is not None
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, nn.ModuleList | list | tuple):
        return [_told(each, "") for each in cast("list[Any]", value)]
    return describe(value) if isinstance(value, nn.Module) else value


def build(description: Description) -> RoIStage:
    """Builds the RoI stage of a description, in evaluation mode and without weights.

    Raises:
        ValueError: not a valid description of a RoI stage; the text gives the reason.
    """
    try:
        with torch.no_grad():
            stage = _built(description)
    except (TypeError, ValueError, RuntimeError, AttributeError, RecursionError) as exc:
        raise ValueError(f"this describes no RoI stage: {str(exc).strip().splitlines()[0]}") from exc
    if not isinstance(stage, RoIStage):
        raise ValueError(f"this describes no RoI stage, but a {type(stage).__name__}")
    return stage.eval()


def _built(told: Any) -> Any:  # noqa: ANN401
    if isinstance(told, list):
        return [_built(each) for each in cast("list[Any]", told)]
    if not isinstance(told, dict):
        return told
    settings = dict(cast(Description, told))
    name = settings.pop(PART, None)
    kind = nn.Sequential if name == "Sequential" else _KINDS.get(str(name))
    if kind is None:
        raise ValueError(f"unknown part {name!r}")
    expected = (LAYERS,) if kind is nn.Sequential else SETTINGS[kind]
    if settings.keys() - UNSET.get(kind, {}).keys() != set(expected):
        raise ValueError(f"{name} has {', '.join(sorted(settings)) or 'no settings'}, expected {', '.join(expected)}")
    values = {each: _built(value) for each, value in settings.items()}
    return nn.Sequential(*values[LAYERS]) if kind is nn.Sequential else kind(**values)
