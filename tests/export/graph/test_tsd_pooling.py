"""Moved bins over the atlas against the pooling that TSD is trained with."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models import SingleRoIExtractor
from torch import Tensor

from dirdet_export.graph.box_heads import MovedHeads
from dirdet_export.graph.pyramid import PyramidPooling
from dirdet_export.graph.tsd_pooling import MovedBins
from dirdet_training.mm.configs import build_model, read_config

STRIDES = [4, 8, 16, 32]
HEIGHT, WIDTH = 96, 160
SIZE = 7
FINEST = 28


def pyramid(batch: int, channels: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn((batch, channels, HEIGHT // stride, WIDTH // stride), generator=generator) for stride in STRIDES
    ]


def ours() -> PyramidPooling:
    return PyramidPooling(strides=STRIDES, finest_scale=FINEST, output_size=SIZE, sampling_ratio=2)


def pool_both(boxes: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
    """Features of boxes [B, N, 4], moved by [B, N, 7, 7, 2] or [B, N, 1, 1, 2], by both, [B * N, 3, 7, 7] each."""
    from dirdet_training.mm.bin_pooling import pool_moved_bins

    levels, pooling = pyramid(len(boxes)), ours()
    extractor = SingleRoIExtractor(
        roi_layer={"type": "RoIAlign", "output_size": SIZE, "sampling_ratio": 2},
        out_channels=3,
        featmap_strides=STRIDES,
        finest_scale=FINEST,
    )
    expected: list[Tensor] = []
    for picture, (those, their_moves) in enumerate(zip(boxes, moves, strict=True)):
        rois = torch.cat([torch.full_like(those[:, :1], picture), those], dim=1)
        for box, move, level in zip(those, their_moves, extractor.map_roi_levels(rois, len(STRIDES)), strict=True):
            features, stride = levels[int(level)][picture], STRIDES[int(level)]
            expected.append(pool_moved_bins(features, box[None], move[None], stride=stride, output_size=SIZE))
    found = MovedBins(pooling)(pooling.atlas(levels), boxes, moves.flatten(2, 3))
    return found, torch.cat(expected)


@pytest.mark.parametrize("move", [0.0, 0.3, -500.0, 500.0])
def test_the_whole_canvas_and_an_empty_box(move: float) -> None:
    boxes = torch.tensor([[[0.0, 0.0, WIDTH, HEIGHT], [0.0, 0.0, 0.0, 0.0], [WIDTH - 3, 0.0, WIDTH, HEIGHT]]])
    torch.testing.assert_close(*pool_both(boxes, torch.full((1, 3, 1, 1, 2), move)), rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    # Half pixels: a sample on a level's pixel falls on the same side of it in both computations.
    corners=st.lists(
        st.tuples(*(st.integers(0, 2 * side) for side in (WIDTH, HEIGHT, WIDTH, HEIGHT))), min_size=2, max_size=8
    ),
    reach=st.sampled_from([1.0, 20.0, 300.0]),
    whole=st.booleans(),
    seed=st.integers(0, 99),
)
def test_equals_what_tsd_is_trained_with(corners: list[tuple[int, ...]], reach: float, whole: bool, seed: int) -> None:
    values = torch.tensor(corners[: len(corners) // 2 * 2], dtype=torch.float32) / 2
    boxes = torch.cat([torch.minimum(values[:, :2], values[:, 2:]), torch.maximum(values[:, :2], values[:, 2:])], 1)
    boxes = boxes.view(2, -1, 4)
    side = 1 if whole else SIZE
    generator = torch.Generator().manual_seed(seed)
    moves = reach * torch.randn((*boxes.shape[:2], side, side, 2), generator=generator)
    torch.testing.assert_close(*pool_both(boxes, moves), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("shift", "deform"), [(True, True), (True, False), (False, True), (False, False)])
def test_each_of_tsds_moves_may_be_left_out(*, shift: bool, deform: bool) -> None:
    torch.manual_seed(0)
    cfg = read_config("tsd_lite0_scenes")
    cfg.model.backbone.pretrained = False
    cfg.model.roi_head.update({"shift": shift, "deform": deform})
    roi_head: Any = build_model(cfg).eval().roi_head
    with torch.no_grad():
        for layer in (roi_head.tsd_head.shift[-1], roi_head.tsd_head.deform[-1]):
            layer.weight.normal_(0, 2)
        levels, pooling = pyramid(2, channels=64), ours()
        corners = torch.rand(2, 5, 2) * 40
        boxes = torch.cat([corners, corners + 5 + torch.rand(2, 5, 2) * 50], dim=2)  # [2, 5, 4], inside the canvas
        heads = MovedHeads(pooling=pooling, head=roi_head.tsd_head, **roi_head.moves)
        said = heads(pooling.atlas(levels), boxes, torch.tensor([[HEIGHT, WIDTH]] * 2))
        picture = torch.arange(2).repeat_interleave(5).view(-1, 1)
        rois = torch.cat([picture, boxes.flatten(0, 1)], dim=1)
        logits, deltas, starts = roi_head._tsd_forward(levels, rois, roi_head.bbox_roi_extractor(levels, rois))
    assert bool((starts[:, 1:] != rois[:, 1:]).any()) == shift
    torch.testing.assert_close(said.logits, logits, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(said.deltas, deltas, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(said.starts_xyxy.flatten(0, 1), starts[:, 1:])
