"""A semantic map for HTC from the objects' own masks, where a data set has no map of stuff."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SemanticFromMasks(BaseTransform):
    """Adds `gt_seg_map` [H, W], uint8: each pixel's class id; where objects overlap, the smaller one's.

    Needs `gt_masks`, `gt_bboxes_labels` and `img_shape`; comes after what moves pixels.
    """

    def __init__(self, background: int) -> None:
        """Sets what pixels without an object get.

        Args:
            background: the number of classes, unless 255 (ignored in training) is wanted.
        """
        self.background = background

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Paints the largest object first."""
        found = np.full(results["img_shape"][:2], self.background, dtype=np.uint8)
        masks = results["gt_masks"].to_ndarray().astype(bool)  # [G, H, W]
        for index in np.argsort(-masks.sum(axis=(1, 2)), kind="stable"):
            found[masks[index]] = results["gt_bboxes_labels"][index]
        results["gt_seg_map"] = found
        results["ignore_index"] = 255
        return results
