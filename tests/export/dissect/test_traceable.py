"""Parts of MMDetection that are replaced before tracing: the same for every size, and in ONNX."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dirdet.engines.onnx_module import import_onnxruntime
from dirdet_export.dissect.traceable import with_traceable_parts
from dirdet_export.graph.adaptive_pooling import adaptive_max_pool
from dirdet_export.write.onnx_files import write_onnx

# Of the trace, and another; neither is a multiple of a window of 7, and the sixth level has an odd size.
SIZES = ((2, 96, 160), (3, 160, 224))


class AsTuple(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *levels: Tensor) -> tuple[Tensor, ...]:
        return self.part(levels)


class OnMaps(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, maps: Tensor) -> Tensor:
        return self.part(maps.flatten(2).transpose(1, 2), (maps.shape[2], maps.shape[3]))


def pyramid(size: tuple[int, int, int]) -> list[Tensor]:
    batch, height, width = size
    return [torch.randn(batch, 8, -(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32, 64)]


def neck(size: tuple[int, int, int]) -> tuple[nn.Module, list[Tensor]]:
    part = importlib.import_module("mmdet.models.necks").BFP(
        in_channels=8, num_levels=5, refine_level=2, refine_type="non_local"
    )
    return AsTuple(part), pyramid(size)


def windows(size: tuple[int, int, int], shift: int = 3) -> tuple[nn.Module, list[Tensor]]:
    swin: Any = importlib.import_module("mmdet.models.backbones.swin")
    part = swin.ShiftWindowMSA(embed_dims=16, num_heads=2, window_size=7, shift_size=shift)
    return OnMaps(part), [torch.randn(size[0], 16, size[1] // 8, size[2] // 8)]


def unshifted_windows(size: tuple[int, int, int]) -> tuple[nn.Module, list[Tensor]]:
    return windows(size, shift=0)


def switchable(size: tuple[int, int, int], *, deform: bool = False) -> tuple[nn.Module, list[Tensor]]:
    part = importlib.import_module("mmcv.ops").SAConv2d(8, 8, 3, stride=2, padding=1, bias=False, use_deform=deform)
    return nn.Sequential(part), [torch.randn(size[0], 8, size[1] // 8, size[2] // 8)]


def switchable_deformable(size: tuple[int, int, int]) -> tuple[nn.Module, list[Tensor]]:
    return switchable(size, deform=True)


def reassembled(size: tuple[int, int, int]) -> tuple[nn.Module, list[Tensor]]:
    part = importlib.import_module("mmcv.ops").CARAFEPack(8, 2, up_kernel=5, up_group=2, compressed_channels=6)
    return nn.Sequential(part), [torch.randn(size[0], 8, size[1] // 8, size[2] // 8)]


@pytest.mark.parametrize("make", [neck, windows, unshifted_windows, switchable, switchable_deformable, reassembled])
def test_a_replacement_computes_the_same_for_every_size_and_in_onnx(make: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs, inputs = make(SIZES[0])
    for weight in theirs.parameters():
        nn.init.normal_(weight, 0, 0.2)
    ours = with_traceable_parts(theirs.eval())
    assert ours is not theirs
    names, path = [f"level_{number}" for number in range(len(inputs))], tmp_path / "part.onnx"
    results = [f"result_{number}" for number in range(len(inputs))]
    axes = {name: {0: "B", 2: f"H_{name}", 3: f"W_{name}"} for name in names}
    write_onnx(ours, inputs, path, inputs=names, outputs=results, dynamic=axes, half=False)
    session: Any = import_onnxruntime("parity").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for maps in (inputs, make(SIZES[1])[1]):
        with torch.no_grad():
            expected, found = theirs(*maps), ours(*maps)
        served = session.run(None, {name: level.numpy() for name, level in zip(names, maps, strict=True)})
        pairs = zip(*((expected, found) if isinstance(expected, tuple) else ([expected], [found])), strict=True)
        for (one, other), third in zip(pairs, served, strict=True):
            torch.testing.assert_close(other, one)
            np.testing.assert_allclose(third, one.numpy(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("length", "count", "ratio"), [(12, 3, 4), (10, 3, 4), (13, 4, 4), (5, 3, 2), (1, 1, 2)])
def test_adaptive_pooling_is_torchs(length: int, count: int, ratio: int) -> None:
    features = torch.randn(2, 3, length, length)
    pooled = adaptive_max_pool(features, torch.zeros(2, 3, count, count), ratio=ratio)
    assert torch.equal(pooled, functional.adaptive_max_pool2d(features, count))
