"""One RoIAlign for all levels against MMDetection's one for each."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models import SingleRoIExtractor
from torch import Tensor

from dirdet_export.graph.pyramid import PyramidPooling

STRIDES = [4, 8, 16, 32]
HEIGHT, WIDTH = 96, 160


def pool_both(
    boxes: Tensor, *, sampling_ratio: int, finest_scale: int = 28, aligned: bool = True, inside: bool = True
) -> tuple[Tensor, Tensor]:
    """Features of boxes [B, N, 4] by ours and by MMDetection's, [B * N, 3, 7, 7] each."""
    generator = torch.Generator().manual_seed(0)
    levels = [
        torch.randn((len(boxes), 3, HEIGHT // stride, WIDTH // stride), generator=generator) for stride in STRIDES
    ]
    ours = PyramidPooling(
        strides=STRIDES,
        finest_scale=finest_scale,
        output_size=7,
        sampling_ratio=sampling_ratio,
        aligned=aligned,
        inside=inside,
    )
    extractor = SingleRoIExtractor(
        roi_layer={"type": "RoIAlign", "output_size": 7, "sampling_ratio": sampling_ratio, "aligned": aligned},
        out_channels=3,
        featmap_strides=STRIDES,
        finest_scale=finest_scale,
    )
    picture = torch.arange(len(boxes)).view(-1, 1, 1).expand(-1, boxes.shape[1], 1)
    rois = torch.cat([picture, boxes], dim=-1).flatten(0, 1)
    return ours(ours.atlas(levels), boxes), extractor(levels, rois)


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_one_empty_box_in_a_corner(sampling_ratio: int) -> None:
    ours, theirs = pool_both(torch.tensor([[[0.0, 0.0, 0.0, 0.0]]]), sampling_ratio=sampling_ratio)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_the_whole_canvas_and_its_edges(sampling_ratio: int) -> None:
    boxes = [[0, 0, WIDTH, HEIGHT], [0, 0, WIDTH, 2], [WIDTH - 3, 0, WIDTH, HEIGHT], [0, HEIGHT - 1, WIDTH, HEIGHT]]
    ours, theirs = pool_both(torch.tensor([boxes, boxes], dtype=torch.float32), sampling_ratio=sampling_ratio)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("aligned", "inside"), [(True, False), (False, True), (False, False)])
def test_boxes_beyond_the_canvas_and_roialign_of_mmdetection_1(aligned: bool, inside: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(2, 40, 2, 2, generator=generator) * torch.tensor([WIDTH, HEIGHT])
    if not inside:
        corners = corners * 3 - torch.tensor([WIDTH, HEIGHT])
    corners[:, 0] = torch.tensor([WIDTH, HEIGHT])  # nothing, in the last corner
    boxes = torch.cat([corners.amin(2), corners.amax(2)], dim=-1)
    for sampling_ratio in (0, 2):
        ours, theirs = pool_both(boxes, sampling_ratio=sampling_ratio, aligned=aligned, inside=inside)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(
    # Quarter pixels, which float32 holds exactly on every level: the adaptive grid rounds a size up.
    corners=st.lists(
        st.tuples(*(st.integers(0, 4 * side) for side in (WIDTH, HEIGHT, WIDTH, HEIGHT))), min_size=2, max_size=12
    ),
    sampling_ratio=st.sampled_from([0, 2]),
    finest_scale=st.sampled_from([28, 56]),
)
def test_equals_mmdetection(corners: list[tuple[int, ...]], sampling_ratio: int, finest_scale: int) -> None:
    values = torch.tensor(corners[: len(corners) // 2 * 2], dtype=torch.float32) / 4
    boxes = torch.cat([torch.minimum(values[:, :2], values[:, 2:]), torch.maximum(values[:, :2], values[:, 2:])], 1)
    ours, theirs = pool_both(boxes.view(2, -1, 4), sampling_ratio=sampling_ratio, finest_scale=finest_scale)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
