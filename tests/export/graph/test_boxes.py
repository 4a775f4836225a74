"""Anchors and decoded boxes against MMDetection's."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder, LegacyDeltaXYWHBBoxCoder
from mmdet.models.task_modules.prior_generators.anchor_generator import LegacyAnchorGenerator

from dirdet_export.graph.boxes import BoxDecoder, anchors_at
from dirdet_export.graph.padded_rows import fit, longest, top


@pytest.mark.parametrize(
    "generator",
    [
        AnchorGenerator(strides=[4, 8], ratios=[0.5, 1.0, 2.0], scales=[8]),
        AnchorGenerator(strides=[(16, 8)], ratios=[1.0], scales=[4, 8], center_offset=0.5),
        AnchorGenerator(strides=[8], ratios=[0.5, 2.0], octave_base_scale=4, scales_per_octave=3),
        LegacyAnchorGenerator(strides=[4, 8], ratios=[0.5, 1.0, 2.0], scales=[8], center_offset=0.5),
    ],
    ids=["usual", "oblong strides", "octaves", "legacy"],
)
@pytest.mark.parametrize("size", [(1, 1), (3, 7), (12, 5)])
def test_anchors_equal_mmdetections(generator: Any, size: tuple[int, int]) -> None:
    expected = generator.grid_priors([size] * generator.num_levels, device="cpu")
    for level, anchors in enumerate(expected):
        index = torch.arange(len(anchors))
        actual = anchors_at(
            index, generator.base_anchors[level], grid_width=size[1], stride_wh=generator.strides[level]
        )
        torch.testing.assert_close(actual, anchors, rtol=0, atol=0)


@settings(deadline=None, max_examples=80)
@given(
    deltas=st.lists(st.floats(-12, 12, width=32), min_size=4, max_size=4),
    box=st.tuples(st.floats(0, 90), st.floats(0, 60), st.floats(0, 50), st.floats(0, 50)),
    clip=st.booleans(),
)
def test_decoding_equals_mmdetections(deltas: list[float], box: tuple[float, ...], clip: bool) -> None:
    means, stds = [0.0, 0.1, 0.0, -0.2], [0.1, 0.1, 0.2, 0.2]
    base = torch.tensor([[box[0], box[1], box[0] + box[2], box[1] + box[3]]])
    table = torch.tensor([deltas])
    expected = DeltaXYWHBBoxCoder(means, stds, clip_border=clip).decode(base, table, max_shape=(64, 96))
    actual = BoxDecoder(means=means, stds=stds, clip=clip)(base[None], table[None], torch.tensor([[64, 96]]))
    torch.testing.assert_close(actual[0], expected, rtol=1e-6, atol=1e-5)
    legacy = LegacyDeltaXYWHBBoxCoder(means, stds).decode(base, table, max_shape=(64, 96))
    actual = BoxDecoder(means=means, stds=stds, added=1)(base[None], table[None], torch.tensor([[64, 96]]))
    torch.testing.assert_close(actual[0], legacy, rtol=1e-6, atol=1e-5)


def test_clipped_boxes_lie_inside_each_pictures_own_part() -> None:
    boxes = torch.tensor([[[-50.0, -50.0, 500.0, 500.0]]] * 2)
    decode = BoxDecoder(means=[0.0] * 4, stds=[1.0] * 4)
    actual = decode(boxes, torch.zeros((2, 1, 4)), torch.tensor([[30, 40], [64, 10]]))
    assert actual[:, 0].tolist() == [[0, 0, 40, 30], [0, 0, 10, 64]]


def test_fewer_values_than_wanted() -> None:
    values, places = top(torch.tensor([[1.0, 3.0, 2.0]]), 10)
    assert values.tolist() == [[3, 2, 1]]
    assert fit(places, 5).tolist() == [[1, 2, 0, 0, 0]]


def test_an_empty_batch_still_has_one_column() -> None:
    assert int(longest(torch.zeros((2, 7), dtype=torch.bool))) == 1
    assert int(longest(torch.tensor([[True, False], [True, True]]))) == 2
