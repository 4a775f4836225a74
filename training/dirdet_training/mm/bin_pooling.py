"""RoIAlign whose bins can be moved, with gradients of the moves."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def pool_moved_bins(
    features: Tensor, boxes_xyxy: Tensor, moves_xy: Tensor, *, stride: int, output_size: int, samples: int = 2
) -> Tensor:
    """Averages bilinear samples of one picture's feature map over moved bins (deformable RoI pooling).

    The result equals RoIAlign (aligned) where no bin moves and all samples lie within the map. torchvision's operator
    gives no gradient of the boxes. Samples beyond the map's edge take the value at its border.

    Args:
        features: [C, H, W].
        boxes_xyxy: [N, 4], pixels of the canvas.
        moves_xy: [N, output_size, output_size, 2] or, for whole boxes, [N, 1, 1, 2]: pixels of the canvas.
        stride: the features' stride, pixels of the canvas.
        output_size: side of the pooled square.
        samples: samples per side of a bin.

    Returns:
        [N, C, output_size, output_size], with gradients in features, boxes and moves.
    """
    count, side = len(boxes_xyxy), output_size * samples
    # The cell centres of a regular grid over the box, in [0, 1].
    steps = (torch.arange(side, device=features.device, dtype=features.dtype) + 0.5) / side  # [S]
    sizes_wh = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]  # [N, 2]
    xs = boxes_xyxy[:, :1] + sizes_wh[:, :1] * steps  # [N, S]
    ys = boxes_xyxy[:, 1:2] + sizes_wh[:, 1:] * steps  # [N, S]
    points = torch.stack(
        [xs[:, None].expand(-1, side, -1), ys[:, :, None].expand(-1, -1, side)], dim=-1
    )  # [N, S, S, 2]
    if moves_xy.shape[1] > 1:
        moves_xy = moves_xy.repeat_interleave(samples, dim=1).repeat_interleave(samples, dim=2)  # [N, S, S, 2]
    points = points + moves_xy
    height, width = features.shape[-2:]
    scale = points.new_tensor([2 / (stride * width), 2 / (stride * height)])
    grid = (points * scale - 1).view(1, count, side * side, 2)
    seen = grid_sample(features[None], grid, padding_mode="border", align_corners=False)  # [1, C, N, S * S]
    bins = seen[0].view(len(features), count, output_size, samples, output_size, samples).mean(dim=(3, 5))
    return bins.transpose(0, 1)  # [N, C, output_size, output_size]
