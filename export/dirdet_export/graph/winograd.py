"""3x3 convolutions by Winograd's algorithm: a quarter of the multiplications, for processors without matrix units.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (CVPR 2016), F(4x4, 3x3).
"""

import copy
import warnings

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from torch.nn import functional

from dirdet_export.graph.detector import Detector

# Side of what a tile gives, and of what it sees.
GIVES, SEES = 4, 6
# With fewer, moving the transformed maps takes as long as what is saved.
MIN_CHANNELS = 128
# One dimension's transforms: of the input, the kernel and the output.
INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


def _both_ways(transform: tuple[tuple[float, ...], ...]) -> Tensor:
    """A transform of rows and columns at once: [a, b] to [a, a, b, b]."""
    one = torch.tensor(transform, dtype=torch.float64)
    return torch.einsum("ai,bj->abij", one, one).float()


class WinogradConv(nn.Module):
    """A convolution that keeps its kernel as it is stored; maps whose sides are no multiples of 4 go the usual way.

    Only convolutions and products of matrices are in the graph, which ONNX Runtime spreads over its threads. Runtimes
    compute the kernel's transform when they load the graph.
    """

    into: Tensor
    kernel: Tensor
    out_of: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Takes the place of a convolution that `fits`."""
        super().__init__()
        self.convolution = convolution
        for name, transform in (("into", INPUT), ("kernel", KERNEL), ("out_of", OUTPUT)):
            self.register_buffer(name, _both_ways(transform), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """[B, C, H, W] to [B, K, H, W]."""
        batch, channels, height, width = values.shape
        if not _tiled(height, width):
            return self.convolution(values)
        freedom, wide = SEES * SEES, self.convolution.out_channels
        tiles = functional.conv2d(
            values.reshape(-1, 1, height, width), self.into.reshape(freedom, 1, SEES, SEES), stride=GIVES, padding=1
        )  # [B * C, 36, rows, columns]
        rows, columns = tiles.shape[2:]
        tiles = tiles.reshape(batch, channels, freedom, -1).permute(2, 0, 1, 3)  # [36, B, C, T]
        kernel = self.convolution.weight.reshape(-1, 9) @ self.kernel.reshape(freedom, 9).T  # [K * C, 36]
        kernel = kernel.T.reshape(freedom, 1, wide, channels)
        product = (kernel @ tiles).permute(1, 2, 0, 3)  # [B, K, 36, T]
        given = functional.conv_transpose2d(
            product.reshape(-1, freedom, rows, columns), self._back(), stride=GIVES
        )  # [B * K, 1, H, W]
        given = given.reshape(batch, wide, height, width)
        bias = self.convolution.bias
        return given if bias is None else given + bias.view(1, -1, 1, 1)

    def _back(self) -> Tensor:
        """[36, 1, 4, 4]: what each of the 36 gives to a tile's pixels."""
        return self.out_of.permute(2, 3, 0, 1).reshape(SEES * SEES, 1, GIVES, GIVES)


def _tiled(height: int, width: int) -> bool:
    """Whether tiles cover a map.

    Of a traced one it is true only where it is true of every canvas: the sides of the traced canvas are odd multiples
    of 32, so that they can be divided no further than those of any other.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TracerWarning)
        return int(height) % GIVES == 0 and int(width) % GIVES == 0


def fits(part: nn.Module, *, min_channels: int = MIN_CHANNELS) -> bool:
    """Whether a module is a convolution that the algorithm makes faster."""
    if type(part) is not nn.Conv2d:
        return False
    plain = (part.kernel_size, part.stride, part.padding, part.dilation, part.groups)
    return plain == ((3, 3), (1, 1), (1, 1), (1, 1), 1) and min(part.in_channels, part.out_channels) >= min_channels


def with_winograd(detector: Detector, *, min_channels: int = MIN_CHANNELS) -> Detector | None:
    """The detector with its neck's and its RPN's convolutions replaced, sharing its weights; None if none fits.

    Those are more than half of a ResNet-50's multiplications. The backbone's are followed by BatchNorm, which runtimes
    fold into convolutions only.
    """
    shared = {id(value): value for value in (*detector.parameters(), *detector.buffers())}
    changed = copy.deepcopy(detector, shared)
    found = 0
    for part in (changed.trunk.neck, changed.trunk.rpn_head):
        for parent in list(part.modules()):
            for name, child in list(parent.named_children()):
                if (
                    not isinstance(parent, WinogradConv)
                    and isinstance(child, nn.Conv2d)
                    and fits(child, min_channels=min_channels)
                ):
                    setattr(parent, name, WinogradConv(child))
                    found += 1
    return changed if found else None
