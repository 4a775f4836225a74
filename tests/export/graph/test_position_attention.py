"""GRoIE's attention over the features of a box."""

import importlib
from typing import Any

import pytest
import torch
from torch import nn

from dirdet_export.dissect.pooling_anatomy import read_pooling
from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.pyramid import Atlas


def extractor(side: int) -> Any:
    attention = {
        "type": "GeneralizedAttention", "in_channels": 32, "spatial_range": -1, "num_heads": 3,
        "attention_type": "0100", "kv_stride": 2,
    }  # fmt: skip
    models: Any = importlib.import_module("mmdet.models")
    return models.GenericRoIExtractor(
        roi_layer={"type": "RoIAlign", "output_size": side, "sampling_ratio": 2},
        out_channels=32,
        featmap_strides=[4, 8, 16],
        pre_cfg={"type": "ConvModule", "in_channels": 32, "out_channels": 32, "kernel_size": 5, "padding": 2},
        post_cfg=attention,
    )


@pytest.mark.parametrize("side", [7, 14])
def test_boxes_are_pooled_from_all_levels_as_mmdetection_does(side: int) -> None:
    torch.manual_seed(0)
    theirs = extractor(side).eval()
    for weight in theirs.parameters():
        nn.init.normal_(weight, 0, 0.3)
    levels = [torch.randn(2, 32, 64 // stride * 2, 96 // stride * 2) for stride in (4, 8, 16)]
    boxes = torch.tensor([[[3.0, 5, 60, 40], [0, 0, 9, 9]], [[20, 10, 90, 63], [1, 2, 180, 120]]])
    rois = torch.cat([torch.tensor([[0.0], [0], [1], [1]]), boxes.flatten(0, 1)], dim=1)
    ours: Any = read_pooling(theirs)
    atlas: Atlas = ours.atlas(levels)
    with torch.no_grad():
        torch.testing.assert_close(ours(atlas, boxes), theirs(tuple(levels), rois), atol=1e-3, rtol=1e-4)


def test_another_attention_is_refused_by_name() -> None:
    part = extractor(7)
    part.post_module.attention_type = [True, True, True, True]
    with pytest.raises(UnsupportedError, match=r"attention_type of GenericRoIExtractor\.post_cfg"):
        read_pooling(part)
