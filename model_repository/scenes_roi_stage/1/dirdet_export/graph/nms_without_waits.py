"""Non-maximum suppression of all pictures and groups at once, without a wait of the host for the device."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dirdet_export.graph.padded_rows import pick

# A box that only a suppressed box overlaps is kept: each round settles one more link of such a chain. A thousand random
# boxes need up to 8 rounds (tests/export/graph/test_padded_nms.py).
ROUNDS = 16


class AtOnce:
    """Steps of a RoI stage whose number and sizes do not depend on the values, so that a CUDA graph can record them.

    Attributes:
        settled: for each NMS so far whether its rounds were enough: [] each, boolean. If one is false, the result holds
            boxes that an exact NMS suppresses, or the other way round.
    """

    def __init__(self) -> None:
        self.settled: list[Tensor] = []

    def used(self, present: Tensor) -> None:
        """Padding at the end of rows stays, since its length depends on the values."""

    def suppress(
        self,
        boxes_xyxy: Tensor,
        rank: Tensor,
        group: Tensor,
        valid: Tensor,
        iou_threshold: Tensor,
        *,
        groups: int,  # noqa: ARG002 - as of other steps
        limit: int,  # noqa: ARG002
        runs: Sequence[int] | None = None,
    ) -> Tensor:
        """Marks the boxes that NMS keeps, as `graph.suppress.suppress` does, in float32.

        Args:
            boxes_xyxy: [B, N, 4], pixels.
            rank: [B, N], not negative.
            group: [B, N], integers.
            valid: [B, N], boolean; false rows are padding.
            iou_threshold: [], or [B] with one for each picture.
            groups: number of groups.
            limit: kept boxes after this many of the same group may be left out.
            runs: lengths of runs of columns, N in all, if the groups are these runs.

        Returns:
            [B, N], boolean.
        """
        threshold = iou_threshold.reshape(-1).expand(len(rank))  # [B]
        if runs is None:
            keep, settled = _kept(boxes_xyxy, rank, valid, threshold, group)
            self.settled.append(settled)
            return keep
        # Each run becomes a row: the matrix of overlaps is smaller by the number of runs.
        longest = max(runs)

        def rows(values: Tensor) -> Tensor:
            parts = values.split(list(runs), dim=1)
            padded = [functional.pad(part, (0,) * 2 * (part.ndim - 2) + (0, longest - part.shape[1])) for part in parts]
            return torch.stack(padded, dim=1).flatten(0, 1)  # [B * runs, longest, ...]

        threshold = threshold.unsqueeze(1).expand(-1, len(runs)).flatten()  # [B * runs]
        keep, settled = _kept(rows(boxes_xyxy), rows(rank), rows(valid), threshold, group=None)
        self.settled.append(settled)
        whole = keep.reshape(len(rank), len(runs), longest)
        return torch.cat([whole[:, number, :length] for number, length in enumerate(runs)], dim=1)


def _kept(
    boxes_xyxy: Tensor, rank: Tensor, valid: Tensor, threshold: Tensor, group: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns the marks of kept boxes [R, N] of rows that are independent, and whether they are settled []."""
    order = rank.argsort(dim=1, descending=True, stable=True)  # [R, N]
    real = valid.gather(1, order)
    # The box of the row has the higher rank.
    over = (_overlaps(pick(boxes_xyxy, order)) > threshold.view(-1, 1, 1)).triu(1)  # [R, N, N]
    if group is not None:
        sorted_group = group.gather(1, order)
        over = over & (sorted_group.unsqueeze(2) == sorted_group.unsqueeze(1))
    # Sums of up to N ones; they are only compared with zero.
    above = over.to(torch.float16 if over.is_cuda else torch.float32)
    keep = before = real
    for _ in range(ROUNDS):
        before = keep
        suppressed = torch.bmm(keep.unsqueeze(1).to(above.dtype), above).squeeze(1) > 0  # [R, N]
        keep = real & ~suppressed
    return torch.zeros_like(valid).scatter(1, order, keep), (keep == before).all()


def _overlaps(boxes_xyxy: Tensor) -> Tensor:
    """IoU of all pairs of each row's boxes [R, N, 4], computed as torchvision's NMS computes it: [R, N, N]."""
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    width = torch.minimum(x2.unsqueeze(2), x2.unsqueeze(1)) - torch.maximum(x1.unsqueeze(2), x1.unsqueeze(1))
    height = torch.minimum(y2.unsqueeze(2), y2.unsqueeze(1)) - torch.maximum(y1.unsqueeze(2), y1.unsqueeze(1))
    both = width.clamp_(min=0) * height.clamp_(min=0)  # [R, N, N]
    areas = (x2 - x1) * (y2 - y1)
    return both / (areas.unsqueeze(2) + areas.unsqueeze(1) - both)
