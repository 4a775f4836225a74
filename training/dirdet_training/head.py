"""Heads that predict from a box's features how well it fits: DIR's two branches, and one branch for comparison."""

import torch
from torch import Tensor, nn


class ReLUDropout(nn.ReLU):
    """ReLU and, in training, dropout; one module, so that a branch's weights keep their names, and exported as ReLU."""

    def __init__(self, dropout: float) -> None:
        """Stores the part that is left out.

        Raises:
            ValueError: it is not in [0, 1).
        """
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {dropout}")
        super().__init__(inplace=True)
        self.dropout = dropout

    def forward(self, input: Tensor) -> Tensor:
        """Returns values of the input's shape."""
        return nn.functional.dropout(super().forward(input), self.dropout, self.training)


def branch(in_features: int, fc_channels: int, out_features: int = 1, dropout: float = 0.0) -> nn.Sequential:
    """FC-ReLU, FC-ReLU, FC (section 3.4); the sigmoid belongs to the loss and to inference.

    Args:
        in_features: number of features of a box.
        fc_channels: width of the two hidden layers.
        out_features: number of logits.
        dropout: the part of the hidden values that is left out in training.
    """
    first, second = nn.Linear(in_features, fc_channels), nn.Linear(fc_channels, fc_channels)
    last = nn.Linear(fc_channels, out_features)
    for layer in (first, second):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    nn.init.normal_(last.weight, std=0.001)
    nn.init.zeros_(last.bias)
    return nn.Sequential(first, ReLUDropout(dropout), second, ReLUDropout(dropout), last)


class DIRHead(nn.Module):
    """Predicts purity and integrity of boxes from RoI features (section 3.4, Figure 3)."""

    def __init__(self, in_channels: int, roi_size: int = 7, fc_channels: int = 1024, dropout: float = 0.0) -> None:
        """Two branches of three fully-connected layers each.

        Args:
            in_channels: channels of the RoI features.
            roi_size: side of the pooled square.
            fc_channels: width of the two hidden layers.
            dropout: the part of the hidden values that is left out in training; none in the paper. A head that is added
                to a detector of few pictures overfits without it.
        """
        super().__init__()
        in_features = in_channels * roi_size * roi_size
        self.purity = branch(in_features, fc_channels, dropout=dropout)
        self.integrity = branch(in_features, fc_channels, dropout=dropout)

    def forward(self, roi_features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of purity and of integrity, [N] each, for RoI features [N, C, roi_size, roi_size]."""
        flat = torch.flatten(roi_features, 1)  # [N, C*roi_size*roi_size]
        return self.purity(flat).squeeze(1), self.integrity(flat).squeeze(1)


class IoUHead(nn.Module):
    """Predicts the IoU of boxes by one branch of the same make: DIR without its decoupling (Table 3)."""

    def __init__(self, in_channels: int, roi_size: int = 7, fc_channels: int = 1024) -> None:
        """One branch of three fully-connected layers.

        Args:
            in_channels: channels of the RoI features.
            roi_size: side of the pooled square.
            fc_channels: width of the two hidden layers.
        """
        super().__init__()
        self.iou = branch(in_channels * roi_size * roi_size, fc_channels)

    def forward(self, roi_features: Tensor) -> Tensor:
        """Logits of the IoU, [N], for RoI features [N, C, roi_size, roi_size]."""
        return self.iou(torch.flatten(roi_features, 1)).squeeze(1)
