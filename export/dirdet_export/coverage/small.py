"""Makes a config's detector and its pictures small, so that a trial takes a minute; the layers stay the config's."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from dirdet_export.dissect.categories import read_dataset

LONG_SIDE = 256
# In place of 101 and 152: the blocks are the same, there are fewer of them.
DEPTH = 50
ANCHORS_PER_LEVEL = 200
PROPOSALS = 100
DETECTIONS = 50


def make_small(cfg: Config) -> None:
    """Reduces the sides of pictures, the numbers of boxes and a deep ResNet's depth, in place."""
    steps: Sequence[Any] = read_dataset(cfg).get("pipeline") or cfg.get("test_pipeline") or []
    sides = [side for step in steps for name in ("scale", "max_size", "size") for side in _sides(step.get(name))]
    factor = LONG_SIDE / max(sides, default=LONG_SIDE)
    for step in steps:
        for name in ("scale", "max_size", "size"):
            if _sides(step.get(name)):
                step[name] = _scaled(step[name], factor)
    backbone: Any = cfg.model.backbone
    if backbone.get("depth", 0) > DEPTH:
        backbone.depth = DEPTH
    test: Mapping[str, Any] = cfg.model.get("test_cfg") or {}
    rpn, rcnn = test.get("rpn") or {}, test.get("rcnn") or {}
    for settings, name, most in (
        (rpn, "nms_pre", ANCHORS_PER_LEVEL),
        (rpn, "max_per_img", PROPOSALS),
        (rcnn, "max_per_img", DETECTIONS),
    ):
        if settings.get(name, 0) > most:
            settings[name] = most


def _sides(value: Any) -> list[int]:  # noqa: ANN401
    if isinstance(value, int):
        return [value]
    return [side for side in value if isinstance(side, int)] if isinstance(value, list | tuple) else []


def _scaled(value: Any, factor: float) -> Any:  # noqa: ANN401
    """Sides multiplied by the factor, as multiples of 32."""
    if isinstance(value, int):
        return max(32, round(value * factor / 32) * 32)
    return tuple(_scaled(side, factor) for side in value)
