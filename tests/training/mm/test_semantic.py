import numpy as np
from mmdet.structures.mask import BitmapMasks

from dirdet_training.mm.semantic import SemanticFromMasks


def test_smaller_objects_lie_over_larger_ones():
    masks = np.zeros((2, 4, 6), np.uint8)
    masks[0, 1:3, 1:3] = 1
    masks[1, :, :4] = 1
    results = {"img_shape": (4, 6), "gt_masks": BitmapMasks(masks, 4, 6), "gt_bboxes_labels": np.array([3, 0])}
    found = SemanticFromMasks(background=12).transform(results)["gt_seg_map"]
    assert found.tolist() == [[0, 0, 0, 0, 12, 12], [0, 3, 3, 0, 12, 12], [0, 3, 3, 0, 12, 12], [0, 0, 0, 0, 12, 12]]


def test_a_picture_without_objects_is_background():
    results = {"img_shape": (2, 3), "gt_masks": BitmapMasks([], 2, 3), "gt_bboxes_labels": np.zeros(0, int)}
    assert SemanticFromMasks(background=7).transform(results)["gt_seg_map"].tolist() == [[7] * 3] * 2
