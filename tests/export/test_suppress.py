"""NMS in padded batches: both lowerings against torchvision's own."""

from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.ops import batched_nms

from dirdet_export.graph.suppress import suppress
from dirdet_export.onnx_files import write_onnx

GROUPS = 4
NAMES = ["boxes", "rank", "group", "valid", "threshold"]


class Suppress(nn.Module):
    def forward(self, boxes: Tensor, rank: Tensor, group: Tensor, valid: Tensor, threshold: Tensor) -> Tensor:
        return suppress(boxes, rank, group, valid, threshold, groups=GROUPS, limit=100)


def draw(batch: int, count: int, seed: int, *, levels: int | None = None) -> list[Tensor]:
    """Random arguments; with `levels` only so many different ranks, so that there are ties."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((batch, count, 2), generator=generator) * 60
    sides = torch.rand((batch, count, 2), generator=generator) * 50
    rank = torch.rand((batch, count), generator=generator)
    if levels is not None:
        rank = (rank * levels).floor() / levels
    group = torch.randint(GROUPS, (batch, count), generator=generator)
    valid = torch.rand((batch, count), generator=generator) > 0.2
    return [torch.cat([corner, corner + sides], dim=-1), rank, group, valid, torch.tensor(0.45)]


def by_torchvision(arguments: list[Tensor]) -> Tensor:
    boxes, rank, group, valid, threshold = arguments
    keep = torch.zeros_like(valid)
    for picture in range(len(boxes)):
        rows = valid[picture].nonzero().flatten()
        best = batched_nms(
            boxes[picture][rows].double(), rank[picture][rows].double(), group[picture][rows], float(threshold)
        )
        keep[picture, rows[best]] = True
    return keep


@pytest.fixture(scope="module")
def in_onnx(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Tensor]], Tensor]:
    path = Path(tmp_path_factory.mktemp("suppress")) / "suppress.onnx"
    dynamic = {name: {0: "B", 1: "N"} for name in [*NAMES[:4], "keep"]}
    write_onnx(Suppress(), draw(2, 9, 0), path, inputs=NAMES, outputs=["keep"], dynamic=dynamic, half=False)
    session = onnxruntime.InferenceSession(str(path))

    def run(arguments: list[Tensor]) -> Tensor:
        feeds = {name: values.numpy() for name, values in zip(NAMES, arguments, strict=True)}
        return torch.from_numpy(session.run(None, feeds)[0])

    return run


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("count", [1, 40])
def test_keeps_what_torchvision_keeps_when_nothing_is_valid(
    in_onnx: Callable[[list[Tensor]], Tensor], batch: int, count: int
) -> None:
    arguments = draw(batch, count, 0)
    arguments[3] = torch.zeros_like(arguments[3])
    assert not Suppress()(*arguments).any()
    assert not in_onnx(arguments).any()


@settings(deadline=None, max_examples=60)
@given(batch=st.integers(1, 3), count=st.integers(1, 60), seed=st.integers(0, 2**31))
def test_equals_torchvision(in_onnx: Callable[[list[Tensor]], Tensor], batch: int, count: int, seed: int) -> None:
    arguments = draw(batch, count, seed)
    expected = by_torchvision(arguments)
    assert torch.equal(Suppress()(*arguments), expected)
    assert torch.equal(in_onnx(arguments), expected)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31))
def test_equal_ranks_fall_the_same_way_in_both(in_onnx: Callable[[list[Tensor]], Tensor], seed: int) -> None:
    arguments = draw(2, 40, seed, levels=3)
    assert torch.equal(in_onnx(arguments), Suppress()(*arguments))


def test_late_groups_are_not_rounded() -> None:
    # Two boxes a thousandth beyond the threshold, in group 90 of a large canvas: float32 offsets would lose it.
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.01]], [[0.0, 0.0, 1344.0, 1344.0]] * 2])
    rank, group, valid = torch.tensor([[0.9, 0.8]] * 2), torch.full((2, 2), 90), torch.ones((2, 2), dtype=torch.bool)
    keep = suppress(boxes, rank, group, valid, torch.tensor(0.5), groups=91, limit=10)
    assert keep[0].tolist() == [True, False]
    keep = suppress(boxes, rank, group, valid, torch.tensor(0.502), groups=91, limit=10)
    assert keep[0].tolist() == [True, True]
