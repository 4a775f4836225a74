"""Makes a config's detector and its pictures small, so that a trial takes a minute; the layers stay the config's."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config

from dirdet_export.dissect.categories import read_dataset

LONG_SIDE = 256
# The blocks of a stage, and the depth that MMDetection's ResNets get for it in this process.
BLOCKS = 2
SHALLOW = 26
ANCHORS_PER_LEVEL = 100
PROPOSALS = 60
DETECTIONS = 40
# Channels of fully-connected layers.
HIDDEN = 128
# Channels of a pyramid, and of the layers that read it, by those of MMDetection's configs.
CHANNELS = {256: 64, 1024: 256}


def make_small(cfg: Config) -> None:
    """Reduces the sides of pictures, the numbers of boxes, the width of heads and the depth of backbones, in place."""
    steps: Sequence[Any] = read_dataset(cfg).get("pipeline") or cfg.get("test_pipeline") or []
    sides = [side for step in steps for name in ("scale", "max_size", "size") for side in _sides(step.get(name))]
    factor = LONG_SIDE / max(sides, default=LONG_SIDE)
    for step in steps:
        for name in ("scale", "max_size", "size"):
            if _sides(step.get(name)):
                step[name] = _scaled(step[name], factor)
    _make_shallow(cfg.model.backbone)
    neck: Any = cfg.model.get("neck") or {}
    # RFP's pyramid goes into a backbone once more, whose channels are its own.
    if not isinstance(neck, list | tuple) and neck.get("out_channels") in CHANNELS and neck.type != "RFP":
        for part in ("neck", "rpn_head", "roi_head", "semantic_head"):
            _thin(cfg.model.get(part))
    _narrow(cfg.model.roi_head)
    test: Mapping[str, Any] = cfg.model.get("test_cfg") or {}
    rpn, rcnn = test.get("rpn") or {}, test.get("rcnn") or {}
    for settings, name, most in (
        (rpn, "nms_pre", ANCHORS_PER_LEVEL),
        (rpn, "max_per_img", PROPOSALS),
        (rcnn, "max_per_img", DETECTIONS),
    ):
        if settings.get(name, 0) > most:
            settings[name] = most


def _make_shallow(backbone: Any) -> None:  # noqa: ANN401
    """Reduces the blocks of each stage, which are alike, in place."""
    known = getattr(MODELS.get(backbone.type), "arch_settings", {})
    # TridentNet's backbone takes no other depths than its own.
    if backbone.get("depth") in known and backbone.type != "TridentResNet":
        block, stages = known[backbone.depth]
        if max(stages) > BLOCKS:
            known[SHALLOW] = (block, (BLOCKS,) * len(stages))
            backbone.depth = SHALLOW
    if "depths" in backbone:  # Swin
        backbone.depths = [min(BLOCKS, depth) for depth in backbone.depths]
    for stage in (backbone.get("extra") or {}).values():  # HRNet
        if isinstance(stage, dict) and "num_modules" in stage:
            stage["num_modules"] = 1


def _thin(part: Any) -> None:  # noqa: ANN401
    """Reduces channels in all settings of a part, in place; those of several levels are the backbone's, and stay."""
    if isinstance(part, list | tuple):
        for each in part:
            _thin(each)
    if isinstance(part, dict):
        for name, value in part.items():
            if isinstance(value, int) and str(name).endswith("channels"):
                part[name] = CHANNELS.get(value, value)
            else:
                _thin(value)


def _narrow(roi_head: Any) -> None:  # noqa: ANN401
    """Makes the fully-connected layers of box heads narrow, in place."""
    heads = roi_head.get("bbox_head") or {}
    for head in heads if isinstance(heads, list | tuple) else [heads]:
        for name in ("fc_out_channels", "cls_out_channels"):
            if head.get(name, 0) > HIDDEN:
                head[name] = HIDDEN
    # SCNet's mask head sees these features.
    if "feat_relay_head" in roi_head:
        roi_head.feat_relay_head.in_channels = min(HIDDEN, roi_head.feat_relay_head.in_channels)


def _sides(value: Any) -> list[int]:  # noqa: ANN401
    if isinstance(value, int):
        return [value]
    return [side for side in value if isinstance(side, int)] if isinstance(value, list | tuple) else []


def _scaled(value: Any, factor: float) -> Any:  # noqa: ANN401
    """Sides multiplied by the factor, as multiples of 32."""
    if isinstance(value, int):
        return max(32, round(value * factor / 32) * 32)
    return tuple(_scaled(side, factor) for side in value)
