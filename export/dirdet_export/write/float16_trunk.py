"""Writes trunk_float16.onnx, which has the types that it computes in, since TensorRT 11 takes them from the file."""

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from dirdet_export.graph.detector import Detector
from dirdet_export.graph.trunk import Trunk
from dirdet_export.write.float16_weights import round_weights
from dirdet_export.write.onnx_files import write_trunk


class HalfTrunk(nn.Module):
    """A trunk that normalises in float32 and computes everything after it, outputs included, in float16."""

    def __init__(self, trunk: Trunk) -> None:
        """Copies the trunk.

        Raises:
            ExportError: a weight does not fit into float16's range.
        """
        super().__init__()
        self.trunk = copy.deepcopy(trunk)
        round_weights(self.trunk)
        for part in self.trunk.children():
            part.half()

    def forward(self, canvas: Tensor, picture_hw: Tensor) -> tuple[Tensor, ...]:
        """As Trunk, all outputs float16."""
        return self.trunk.maps(self.trunk.normalise(canvas, picture_hw).to(torch.float16))


def write_half_trunk(detector: Detector, path: Path) -> None:
    """Writes a detector's trunk in float16.

    Raises:
        ExportError: a weight does not fit into float16's range, or the graph has control flow.
    """
    write_trunk(detector, path, half=False, trunk=HalfTrunk(detector.trunk))
