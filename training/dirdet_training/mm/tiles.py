"""Trains on tiles cut from larger pictures: objects that an edge cuts keep their whole box, which integrity is of."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config

from dirdet_training.mm.data import DataError, datasets

# Training ignores an object if less than this share of its box is inside the tile.
LEAST_VISIBLE = 0.25
# Steps of a pipeline that make a picture fit the canvas: a tile is resized as detection resizes it, after it was cut.
RESIZING = ("Resize", "RandomResize", "RandomChoiceResize")
# Steps that may make floats of bytes and move nothing: a resize by Pillow, which comes before them, takes bytes only.
COLOURING = ("PhotoMetricDistortion", "YOLOXHSVRandomAug", "Corrupt", "Normalize")
# Steps without use for tiles of one size.
LEFT_OUT = ("RandomCrop", "Pad")


@TRANSFORMS.register_module()
class CutTile(BaseTransform):
    """Cuts a random tile out of a picture.

    A picture that is smaller than a tile stays whole in that direction. An object's box becomes the part inside the
    tile, which the detector learns to find; `gt_whole_boxes` has the whole boxes, in pixels of the tile, which the
    judges learn from: a part's integrity is its share of the object.
    """

    def __init__(self, size_wh: tuple[int, int], least_visible: float = LEAST_VISIBLE) -> None:
        """Takes the size in pixels, and the share of a box that has to be inside."""
        self.size_wh = size_wh
        self.least_visible = least_visible

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Needs img and gt_bboxes, in pixels of img."""
        height, width = results["img"].shape[:2]
        left, top = (
            int(np.random.randint(max(side - tile, 0) + 1))  # noqa: NPY002 - MMEngine seeds it in every worker
            for side, tile in zip((width, height), self.size_wh, strict=True)
        )
        right, bottom = min(left + self.size_wh[0], width), min(top + self.size_wh[1], height)
        results["img"] = np.ascontiguousarray(results["img"][top:bottom, left:right])
        results["img_shape"] = (bottom - top, right - left)
        whole = results["gt_bboxes"].tensor - torch.tensor([left, top, left, top])  # [G, 4]
        inside = whole.clone()
        inside[:, 0::2].clamp_(0, right - left)
        inside[:, 1::2].clamp_(0, bottom - top)
        share = _areas(inside) / _areas(whole).clamp(min=1e-6)  # [G]
        shown = (share > 0).numpy()
        results["gt_bboxes"] = HorizontalBoxes(inside[shown])
        results["gt_whole_boxes"] = whole[shown]
        results["gt_bboxes_labels"] = results["gt_bboxes_labels"][shown]
        cut_off = (share < self.least_visible).numpy()
        results["gt_ignore_flags"] = (results["gt_ignore_flags"] | cut_off)[shown]
        if "gt_masks" in results:
            masks = results["gt_masks"][np.flatnonzero(shown)]
            results["gt_masks"] = masks.crop(np.array([left, top, right, bottom]))
        return results


@TRANSFORMS.register_module()
class PackTile(PackDetInputs):
    """As PackDetInputs; the objects also have `whole_boxes` [G, 4], in pixels of the resized tile."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        packed = super().transform(results)
        used = np.flatnonzero(~results["gt_ignore_flags"])
        whole = results["gt_whole_boxes"][used] * torch.tensor(results.get("scale_factor", (1.0, 1.0))).repeat(2)
        packed["data_samples"].gt_instances.whole_boxes = whole
        return packed


def _areas(boxes_xyxy: torch.Tensor) -> torch.Tensor:
    return (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).clamp(min=0).prod(dim=1)


def set_tiles(cfg: Config, size_wh: tuple[int, int]) -> None:
    """Trains a config on tiles of its pictures, in place; a tile is resized in place of its picture.

    Raises:
        DataError: a data set's steps do not end with PackDetInputs.
    """
    for dataset in datasets(cfg.train_dataloader.dataset):
        steps: list[Any] = list(dataset.get("pipeline") or ())
        if not steps or steps[-1].get("type") != "PackDetInputs":
            raise DataError("--tiles: expected PackDetInputs as the last step of the data set's pipeline")
        before = [each for each in steps[:-1] if each.get("type") not in (*RESIZING, *COLOURING, *LEFT_OUT)]
        resizing, colouring = ([each for each in steps if each.get("type") in kind] for kind in (RESIZING, COLOURING))
        cut = {"type": "CutTile", "size_wh": size_wh}
        dataset["pipeline"] = [*before, cut, *resizing, *colouring, {**steps[-1], "type": "PackTile"}]
