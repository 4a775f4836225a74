"""Non-maximum suppression in padded batches, by torchvision or, in an exported graph, by ONNX's operator."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torchvision.ops import nms

from dirdet_export.graph.padded_rows import longest

# Below every rank; ranks are products of probabilities.
ABSENT = -1.0


class Steps(Protocol):
    """The steps of a RoI stage that are computed in different ways."""

    def used(self, present: Tensor) -> Tensor | None:
        """The number of columns that are needed of rows whose valid columns [B, N] come first: [], or None for all."""
        ...

    def suppress(
        self,
        boxes_xyxy: Tensor,
        rank: Tensor,
        group: Tensor,
        valid: Tensor,
        iou_threshold: Tensor,
        *,
        groups: int,
        limit: int,
        runs: Sequence[int] | None = None,
    ) -> Tensor:
        """Marks the boxes that NMS keeps, as `suppress` does; `runs` are the lengths of runs of columns of a group."""
        ...


class OneByOne:
    """Picture by picture, with rows as short as the values allow; also what is traced for ONNX."""

    def used(self, present: Tensor) -> Tensor:
        return longest(present)

    def suppress(
        self,
        boxes_xyxy: Tensor,
        rank: Tensor,
        group: Tensor,
        valid: Tensor,
        iou_threshold: Tensor,
        *,
        groups: int,
        limit: int,
        runs: Sequence[int] | None = None,  # noqa: ARG002 - the groups say the same
    ) -> Tensor:
        return suppress(boxes_xyxy, rank, group, valid, iou_threshold, groups=groups, limit=limit)


ONE_BY_ONE = OneByOne()


def suppress(
    boxes_xyxy: Tensor, rank: Tensor, group: Tensor, valid: Tensor, iou_threshold: Tensor, *, groups: int, limit: int
) -> Tensor:
    """Marks the boxes that NMS keeps: those with no kept, higher-ranked box of their group above the IoU threshold.

    Args:
        boxes_xyxy: [B, N, 4], pixels.
        rank: [B, N], not negative.
        group: [B, N], integers in 0..groups-1.
        valid: [B, N], boolean; false rows are padding.
        iou_threshold: [], one number for all.
        groups: number of groups.
        limit: kept boxes after this many of the same group may be left out, which does not affect a caller that keeps
            `limit` in all.

    Returns:
        [B, N], boolean.
    """
    if torch.onnx.is_in_onnx_export():
        return _suppress_in_onnx(boxes_xyxy, rank, group, valid, iou_threshold, groups=groups, limit=limit)
    return _suppress_loop(boxes_xyxy, rank, group, valid, iou_threshold)


def _suppress_loop(boxes_xyxy: Tensor, rank: Tensor, group: Tensor, valid: Tensor, iou_threshold: Tensor) -> Tensor:
    """One torchvision NMS per picture."""
    keep = torch.zeros_like(valid)
    threshold = float(iou_threshold.item())
    # Groups are offset so that they do not overlap. In float32 that would round boxes of the last groups by up to 1/100
    # px.
    wide = boxes_xyxy.to(torch.float64)
    wide = wide + (group.to(torch.float64) * (wide.max() + 1.0)).unsqueeze(-1)  # [B, N, 4]
    for picture in range(boxes_xyxy.shape[0]):
        rows = torch.nonzero(valid[picture]).flatten()
        best = nms(wide[picture][rows], rank[picture][rows].to(torch.float64), threshold)
        keep[picture, rows[best]] = True
    return keep


class _OnnxNms(torch.autograd.Function):
    """Exports ONNX's NonMaxSuppression."""

    @staticmethod
    def forward(_ctx: object, _boxes: Tensor, scores: Tensor, _limit: Tensor, _iou_threshold: Tensor) -> Tensor:
        """Any [S, 3] of the right type: a trace does not use the values."""
        return scores.new_zeros((1, 3), dtype=torch.int64)

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, limit: Any, iou_threshold: Any) -> Any:  # noqa: ANN401
        """The ONNX operator; its score threshold removes boxes with ABSENT."""
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
