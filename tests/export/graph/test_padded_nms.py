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

from dirdet_export.graph.nms_without_waits import ROUNDS, AtOnce
from dirdet_export.graph.padded_nms import suppress
from dirdet_export.write.onnx_files import write_onnx

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


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("by_run", [False, True])
def test_at_once_keeps_what_torchvision_keeps(seed: int, by_run: bool) -> None:
    """In float32, for groups of any order and for groups that are runs of columns; one threshold for each picture."""
    batch, count = 1 + seed % 3, 1 + 7 * seed
    arguments = draw(batch, count, seed)
    runs = None
    if by_run:
        runs = [count // 2, count - count // 2]
        arguments[2] = torch.arange(count).ge(count // 2).long().expand(batch, -1)
    steps = AtOnce()
    thresholds = torch.linspace(0.45, 0.55, batch)
    boxes, rank, group, valid, _ = arguments
    keep = steps.suppress(boxes, rank, group, valid, thresholds, groups=GROUPS, limit=100, runs=runs)
    for picture, threshold in enumerate(thresholds):
        alone = [values[picture : picture + 1] for values in arguments[:4]]
        assert torch.equal(keep[picture : picture + 1], by_torchvision([*alone, threshold]))
    assert bool(steps.settled[0])


def test_a_chain_longer_than_the_rounds_is_told() -> None:
    """Each box overlaps the next one alone: every other box is kept, and each round decides about one more."""
    left = torch.arange(64.0) * 4
    zeros, ends = torch.zeros(64), torch.full((64,), 10.0)
    boxes = torch.stack([left, zeros, left + 10, ends], dim=1).unsqueeze(0)
    rank, group = torch.linspace(1, 0.1, 64).unsqueeze(0), torch.zeros((1, 64), dtype=torch.int64)
    arguments = (boxes, rank, group, torch.ones((1, 64), dtype=torch.bool), torch.tensor(0.4))
    steps = AtOnce()
    few = slice(ROUNDS - 1)
    begun = (boxes[:, few], rank[:, few], group[:, few], rank[:, few] > 0, torch.tensor(0.4))
    assert steps.suppress(*begun, groups=1, limit=64).tolist() == [[number % 2 == 0 for number in range(ROUNDS - 1)]]
    steps.suppress(*arguments, groups=1, limit=64)
    assert torch.stack(steps.settled).tolist() == [True, False]
    exact = suppress(*arguments, groups=1, limit=64)
    assert exact.tolist() == [[number % 2 == 0 for number in range(64)]]


def test_a_thousand_random_boxes_settle_in_half_of_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirdet_export.graph.nms_without_waits.ROUNDS", ROUNDS // 2 + 1)
    steps = AtOnce()
    for span_px, side_px in ((60, 50), (400, 100), (800, 300)):
        generator = torch.Generator().manual_seed(0)
        corner = torch.rand((1, 1000, 2), generator=generator) * span_px
        boxes = torch.cat([corner, corner + 4 + torch.rand((1, 1000, 2), generator=generator) * side_px], dim=-1)
        rank, group = torch.rand((1, 1000), generator=generator), torch.zeros((1, 1000), dtype=torch.int64)
        steps.suppress(boxes, rank, group, rank >= 0, torch.tensor(0.5), groups=1, limit=100)
    assert torch.stack(steps.settled).all()
