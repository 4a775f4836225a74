"""Non-maximum suppression in padded batches: the one operator that ONNX and TorchScript lower differently."""

import functools
from typing import Any, cast

import torch
from torch import Tensor
from torchvision.ops import nms

# Below every rank, which is a probability or a product of some.
ABSENT = -1.0


def suppress(
    boxes_xyxy: Tensor, rank: Tensor, group: Tensor, valid: Tensor, iou_threshold: Tensor, *, groups: int, limit: int
) -> Tensor:
    """Marks the boxes that no better ranked one of the same group overlaps by more than the threshold.

    Args:
        boxes_xyxy: [B, N, 4], pixels.
        rank: [B, N], not negative.
        group: [B, N], integers in 0..groups-1.
        valid: [B, N], boolean; the others are padding.
        iou_threshold: [], one number for all.
        groups: number of groups.
        limit: survivors that come after this many of their own group may be left out; no caller that keeps `limit`
            in all can tell.

    Returns:
        [B, N], boolean.
    """
    if torch.onnx.is_in_onnx_export():
        return _suppress_in_onnx(boxes_xyxy, rank, group, valid, iou_threshold, groups=groups, limit=limit)
    return _scripted()(boxes_xyxy, rank, group, valid, iou_threshold)


def _suppress_loop(boxes_xyxy: Tensor, rank: Tensor, group: Tensor, valid: Tensor, iou_threshold: Tensor) -> Tensor:
    """One torchvision NMS a picture; compiled by TorchScript, so that a traced caller keeps the loop."""
    keep = torch.zeros_like(valid)
    threshold = float(iou_threshold.item())
    # Groups are laid side by side. In float32 that would round the boxes of a late group by up to 1/100 pixel.
    wide = boxes_xyxy.to(torch.float64)
    wide = wide + (group.to(torch.float64) * (wide.max() + 1.0)).unsqueeze(-1)  # [B, N, 4]
    for picture in range(boxes_xyxy.shape[0]):
        rows = torch.nonzero(valid[picture]).flatten()
        best = nms(wide[picture][rows], rank[picture][rows].to(torch.float64), threshold)
        keep[picture, rows[best]] = True
    return keep


@functools.cache
def _scripted() -> Any:  # noqa: ANN401  (a ScriptFunction)
    return torch.jit.script(_suppress_loop)


class _OnnxNms(torch.autograd.Function):
    """Stands for ONNX's NonMaxSuppression while a graph is exported."""

    @staticmethod
    def forward(_ctx: object, _boxes: Tensor, scores: Tensor, _limit: Tensor, _iou_threshold: Tensor) -> Tensor:
        """Some [S, 3] of the right type: the values of a trace are not used."""
        return scores.new_zeros((1, 3), dtype=torch.int64)

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, limit: Any, iou_threshold: Any) -> Any:  # noqa: ANN401
        """The operator; its scores' threshold drops what is ABSENT."""
        floor = g.op("Constant", value_t=torch.tensor([ABSENT / 2]))
        return g.op("NonMaxSuppression", boxes, scores, limit, iou_threshold, floor)


def _suppress_in_onnx(
    boxes_xyxy: Tensor, rank: Tensor, group: Tensor, valid: Tensor, iou_threshold: Tensor, *, groups: int, limit: int
) -> Tensor:
    labels = torch.arange(groups).view(1, -1, 1)  # [1, G, 1]
    member = (group.unsqueeze(1) == labels) & valid.unsqueeze(1)  # [B, G, N]
    scores = torch.where(member, rank.unsqueeze(1), ABSENT)  # [B, G, N]
    selected = cast(
        Tensor, _OnnxNms.apply(boxes_xyxy, scores, torch.full((1,), limit), iou_threshold.reshape(1))
    )  # [S, 3]: picture, group, box
    places = selected[:, 0] * boxes_xyxy.shape[1] + selected[:, 2]  # [S]
    marks = torch.zeros_like(rank).flatten().scatter(0, places, 1.0)  # [B * N]
    return marks.reshape(rank.shape) > 0
