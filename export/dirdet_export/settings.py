"""What a config says of pictures and classes: resize rule, canvases, categories."""

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mmdet.registry import DATASETS
from mmengine.config import Config

from dirdet.bundle import CanvasSize, Category, ResizeRule
from dirdet_export.anatomy import CANVAS_MULTIPLE
from dirdet_export.errors import UnsupportedError

INTERPOLATIONS: dict[str, Literal["antialiased", "bilinear"]] = {"pillow": "antialiased", "cv2": "bilinear"}

# Most photographs. Between it and the longest shape that the rule allows, a canvas of its own saves computation.
COMMON_ASPECT = 4 / 3


def _dataset(cfg: Config) -> Mapping[str, Any]:
    """The config of the data set that the detector is tested on, below any wrapper."""
    dataset = cfg.get("test_dataloader", {}).get("dataset", {})
    while "dataset" in dataset:
        dataset = dataset["dataset"]
    return dataset


def read_resize_rule(cfg: Config) -> ResizeRule:
    """How the test pipeline resizes.

    Raises:
        UnsupportedError: it does not, or by a rule that a bundle cannot express.
    """
    pipeline = _dataset(cfg).get("pipeline") or cfg.get("test_pipeline") or []
    resizes = [step for step in pipeline if step.get("type") in ("Resize", "mmdet.Resize")]
    if len(resizes) != 1:
        raise UnsupportedError(f"export expects one Resize in the test pipeline; this config has {len(resizes)}")
    resize = resizes[0]
    scale = resize.get("scale")
    if not resize.get("keep_ratio", False) or not isinstance(scale, Sequence) or len(scale) != 2:
        raise UnsupportedError(
            "export expects Resize(scale=(long, short), keep_ratio=True) in the test pipeline; this config has "
            f"scale={scale!r}, keep_ratio={resize.get('keep_ratio', False)}"
        )
    backend, interpolation = resize.get("backend", "cv2"), resize.get("interpolation", "bilinear")
    if backend not in INTERPOLATIONS or interpolation != "bilinear":
        raise UnsupportedError(
            "export expects Resize with backend 'cv2' or 'pillow' and interpolation 'bilinear'; this config has "
            f"backend={backend!r}, interpolation={interpolation!r}"
        )
    return ResizeRule(short_side=int(min(scale)), long_side=int(max(scale)), interpolation=INTERPOLATIONS[backend])


def _padded(side: float) -> int:
    return math.ceil(side / CANVAS_MULTIPLE) * CANVAS_MULTIPLE


def derive_canvases(rule: ResizeRule) -> list[CanvasSize]:
    """The buckets, smallest first: upright and lying, for 4:3 and for the longest shape.

    Every picture that the rule resizes fits into one of them.
    """
    shorts = _padded(rule.short_side)
    longs = {_padded(rule.long_side), _padded(min(rule.long_side, rule.short_side * COMMON_ASPECT))}
    sides = {pair for long in longs for pair in itertools.permutations((shorts, long))}
    return sort_canvases([CanvasSize(height=height, width=width) for height, width in sides])


def sort_canvases(canvases: Sequence[CanvasSize]) -> list[CanvasSize]:
    """Smallest area first, lying before upright, each once."""
    unique = {(canvas.height, canvas.width): canvas for canvas in canvases}
    return [unique[key] for key in sorted(unique, key=lambda hw: (hw[0] * hw[1], hw[0]))]


def parse_canvas(text: str) -> CanvasSize:
    """A canvas from HEIGHTxWIDTH.

    Raises:
        ValueError: not of that form, or a side is no positive multiple of 32.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    sides = [int(side) for side in match.groups()] if match else []
    if not sides or any(side == 0 or side % CANVAS_MULTIPLE for side in sides):
        raise ValueError(
            f"expected HEIGHTxWIDTH, both multiples of {CANVAS_MULTIPLE}, for example 256x320; got {text!r}"
        )
    return CanvasSize(height=sides[0], width=sides[1])


def _coco_numbers() -> dict[str, int]:
    """COCO's own category numbers, which have gaps, by name."""
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    names: list[str] = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    return {name: number for number, name in enumerate(names) if name not in ("N/A", "__background__")}


def _annotated_numbers(dataset: Mapping[str, Any]) -> dict[str, int]:
    """Category numbers by name from the data set's annotation file; empty where it is not at hand."""
    path = Path(dataset.get("data_root") or "") / str(dataset.get("ann_file") or "")
    if not path.is_file():
        return {}
    try:
        categories = json.loads(path.read_text(encoding="utf-8"))["categories"]
        return {str(category["name"]): int(category["id"]) for category in categories}
    except (ValueError, KeyError, TypeError):
        return {}


def read_categories(cfg: Config, *, classes: int) -> list[Category]:
    """Names and the data set's own numbers of the classes, in the order of the detector's outputs.

    The numbers come from the annotation file if it is at hand, else from COCO if all names are COCO's, else they
    count from 1.

    Args:
        cfg: the detector's config.
        classes: how many the detector tells apart.

    Raises:
        UnsupportedError: the config names no classes or another number of them.
    """
    dataset = _dataset(cfg)
    names = dict(dataset.get("metainfo") or {}).get("classes")
    if names is None and "type" in dataset:
        known = DATASETS.get(dataset["type"])
        names = getattr(known, "METAINFO", {}).get("classes")
    names = (names,) if isinstance(names, str) else tuple(names or ())
    if len(names) != classes:
        raise UnsupportedError(
            f"export expects the names of {classes} classes in test_dataloader.dataset.metainfo; found {len(names)}"
        )
    for numbers in (_annotated_numbers(dataset), _coco_numbers()):
        if set(names) <= set(numbers):
            return [Category(name=name, category_id=numbers[name]) for name in names]
    return [Category(name=name, category_id=number) for number, name in enumerate(names, start=1)]
