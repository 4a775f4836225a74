"""Side-Aware Boundary Localization: a box's sides as buckets, and how sure the head is of them (ECCV 2020)."""

import torch
from torch import Tensor, nn


class BucketDecoder(nn.Module):
    """Decodes as MMDetection's BucketingBBoxCoder: the best bucket of every side, moved by its offset."""

    def __init__(self, *, buckets: int, scale: float, clip: bool) -> None:
        """Takes the coder's settings.

        Args:
            buckets: along the width or the height of a box.
            scale: of the boxes whose sides are divided.
            clip: clip boxes to the picture.
        """
        super().__init__()
        self.buckets = buckets
        self.scale = scale
        self.clip = clip

    @property
    def each(self) -> int:
        """Buckets of one side of a box: half of all, from outside to the middle."""
        return (self.buckets + 1) // 2

    @property
    def width(self) -> int:
        """Values of a box: the logits of the buckets of its left, right, upper and lower side, then their offsets."""
        return 8 * self.each

    def forward(self, boxes_xyxy: Tensor, values: Tensor, picture_hw: Tensor) -> Tensor:
        """Boxes [B, N, 4] in pixels of the canvas; if `clip`, they end a pixel before the picture's far edges.

        Args:
            boxes_xyxy: [B, N, 4], pixels of the canvas.
            values: [B, N, width].
            picture_hw: [B, 2], integers, size of the picture on each canvas.
        """
        logits, offsets = self._by_side(values)  # [B, N, 4, each]
        best = logits.argmax(-1, keepdim=True)
        steps = best.squeeze(-1).to(values.dtype) + 0.5  # [B, N, 4]
        offset = offsets.gather(-1, best).squeeze(-1)
        centres = (boxes_xyxy[..., :2] + boxes_xyxy[..., 2:]) * 0.5
        sides = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]) * self.scale  # [B, N, 2]
        bucket = sides / self.buckets
        first, last = centres - sides * 0.5, centres + sides * 0.5
        boxes = torch.cat(
            [
                first + (steps[..., 0::2] - offset[..., 0::2]) * bucket,
                last - (steps[..., 1::2] + offset[..., 1::2]) * bucket,
            ],
            dim=-1,
        )
        if not self.clip:
            return boxes
        limit_wh = picture_hw.flip(1).to(boxes.dtype) - 1  # [B, 2]
        return torch.minimum(boxes.clamp(min=0), torch.cat([limit_wh, limit_wh], dim=1).unsqueeze(1))

    def ranked(self, scores: Tensor, values: Tensor) -> Tensor:
        """Scores [B, P, classes] times the mean probability of the four sides' buckets (section 3.3).

        Args:
            scores: [B, P, classes].
            values: [B * P, width].
        """
        probability, index = self._by_side(values)[0].softmax(-1).topk(2, dim=-1)  # [B * P, 4, 2]
        neighbours = (index[..., 0] - index[..., 1]).abs() == 1
        certainty = probability[..., 0] + probability[..., 1] * neighbours.to(probability.dtype)
        return scores * certainty.mean(-1).reshape(scores.shape[0], -1, 1)

    def _by_side(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and offsets [..., 4, each] of values [..., width]."""
        logits, offsets = values.split(4 * self.each, dim=-1)
        shape = (*values.shape[:-1], 4, self.each)
        return logits.reshape(shape), offsets.reshape(shape)


class SideHead(nn.Module):
    """The box head that predicts classes, and buckets of each side from features of rows and of columns."""

    def __init__(
        self,
        *,
        classes: nn.Sequential,
        shared: nn.Sequential,
        attention: nn.Sequential,
        columns: nn.Sequential,
        rows: nn.Sequential,
        buckets: nn.Sequential,
        offsets: nn.Sequential,
    ) -> None:
        """Takes the layers.

        Args:
            classes: features [R, C, s, s] to logits [R, classes + 1], the last is the background's.
            shared: features to the features [R, C, s, s] of the sides.
            attention: two layers, to the weights [R, 1, s, s] of the columns' pixels and of the rows'.
            columns: two layers: features of columns [R, C, 1, s] to the same, then [R, C, s] to [R, C, n].
            rows: two layers: features of rows [R, C, s, 1] to the same, then [R, C, s] to [R, C, n].
            buckets: [..., C] to a logit [..., 1].
            offsets: [..., C] to an offset [..., 1].
        """
        super().__init__()
        self.classes = classes
        self.shared = shared
        self.attention = attention
        self.columns = columns
        self.rows = rows
        self.buckets = buckets
        self.offsets = offsets

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and values [R, width] of `BucketDecoder`, of features [R, C, s, s]."""
        seen = self.shared(features)
        sides = [
            self._along(seen, self.attention[0], self.columns, axis=2),
            self._along(seen, self.attention[1], self.rows, axis=3),
        ]
        told = [_from_both_ends(layers(side).squeeze(-1)) for layers in (self.buckets, self.offsets) for side in sides]
        return self.classes(features), torch.cat(told, dim=1)

    @staticmethod
    def _along(seen: Tensor, attention: nn.Module, layers: nn.Sequential, *, axis: int) -> Tensor:
        """Features [R, n, C] of columns or rows; `axis` is the other one, which is averaged."""
        weights = attention(seen).sigmoid()
        mean = (seen * (weights / weights.sum(axis, keepdim=True))).sum(axis, keepdim=True)
        return layers[1](layers[0](mean).squeeze(axis)).transpose(1, 2)


def _from_both_ends(values: Tensor) -> Tensor:
    """Values [R, n] of buckets to those of the first and of the last side, each from outside: [R, 2 * ceil(n / 2)]."""
    count = values.shape[1]
    return torch.cat([values[:, : (count + 1) // 2], values[:, count // 2 :].flip(1)], dim=1)
