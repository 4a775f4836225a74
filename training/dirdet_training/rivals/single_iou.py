"""The single branch: the IoU predicted as one number, by DIR's own layers and loss (Table 2's ablation)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from dirdet_training import geometry
from dirdet_training.head import branch


class SingleIoUHead(nn.Module):
    """Predicts the IoU of boxes from RoI features with one branch instead of DIR's two."""

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


def single_iou_loss(logits: Tensor, boxes_xyxy: Tensor, objects_xyxy: Tensor) -> Tensor:
    """Mean binary cross-entropy with the IoU as soft target: the last term of Eq. 9 alone.

    Args:
        logits: [N].
        boxes_xyxy: [N, 4], the refined boxes, pixels; no gradient flows through them.
        objects_xyxy: [N, 4], the objects the proposals were assigned to, pixels.

    Returns:
        A scalar; zero, but joined to the graph, for N = 0.
    """
    targets = geometry.iou(boxes_xyxy.detach(), objects_xyxy).float()
    total = binary_cross_entropy_with_logits(logits.float(), targets, reduction="sum")
    return total / max(len(logits), 1)
