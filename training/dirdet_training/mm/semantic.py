"""Makes HTC's semantic map from the objects' masks, for a data set without a map of stuff."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SemanticFromMasks(BaseTransform):
    """Adds `gt_seg_map` [H, W], uint8: each pixel's class id, where objects overlap that of the smaller object.

    It needs `gt_masks`, `gt_bboxes_labels` and `img_shape`, and must follow all transforms that move pixels.
    """

    def __init__(self, background: int) -> None:
        """Sets the value of pixels without an object.

        Args:
            background: the number of classes, or 255 for pixels that training ignores.
        """
        self.background = background

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draws the objects, the largest first."""
        found = np.full(results["img_shape"][:2], self.background, dtype=np.uint8)
        masks = results["gt_masks"].to_ndarray().astype(bool)  # [G, H, W]
        for index in np.argsort(-masks.sum(axis=(1, 2)), kind="stable"):
            found[masks[index]] = results["gt_bboxes_labels"][index]
        results["gt_seg_map"] = found
        results["ignore_index"] = 255
        return results
