"""torchvision's own RoI heads with a bundle's weights: the same work without DIR."""

import math
from collections import OrderedDict
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import MultiScaleRoIAlign, poolers, roi_align

from dirdet.errors import BundleError

# How far a detection may be from the other's: pixels, and of the score.
BOX_PX, SCORE = 0.1, 1e-3


class _Head(nn.Module):
    """A Shared2FCBBoxHead's layers, flattened features [R, C * s * s] in."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.weights = weights

    def layer(self, name: str, features: Tensor) -> Tensor:
        return nn.functional.linear(features, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])


class _Features(_Head):
    def forward(self, features: Tensor) -> Tensor:
        return self.layer("shared_fcs.1", self.layer("shared_fcs.0", features.flatten(1)).relu()).relu()


class _Predictor(_Head):
    """torchvision has the background first, and a box for every class."""

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        logits, deltas = self.layer("fc_cls", features), self.layer("fc_reg", features)
        if deltas.shape[1] == 4:
            deltas = deltas.repeat(1, logits.shape[1])
        else:
            deltas = torch.cat([torch.zeros_like(deltas[:, :4]), deltas], dim=1)
        return logits.roll(1, dims=1), deltas


def weights_of(stage: Any) -> tuple[dict[str, Tensor], list[float]]:  # noqa: ANN401 - a ScriptModule
    """The box head's weights by layer, and the deviations that its deltas were learned with.

    Raises:
        BundleError: it is no Faster R-CNN's.
    """
    state: dict[str, Tensor] = stage.state_dict()
    names = ("shared_fcs.0", "shared_fcs.1", "fc_cls", "fc_reg")
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        told = key.replace(".parametrizations.weight.original", ".weight")
        for name in names:
            for what in ("weight", "bias"):
                if told.startswith("candidates.") and told.endswith(f".{name}.{what}"):
                    found[f"{name}.{what}"] = value.float()
    if len(found) != 2 * len(names):
        raise BundleError(f"expected a box head with the layers {', '.join(names)}, found {sorted(found)}")
    return found, state["candidates.decoder.stds"].tolist()


def roi_heads(
    stage: Any,  # noqa: ANN401 - a ScriptModule
    *,
    levels: int,
    finest_stride: int,
    finest_scale: float,
    output_size: int,
    sampling_ratio: int,
    score_threshold: float,
    nms_iou_threshold: float,
    keep: int,
) -> RoIHeads:
    """RoI heads with the weights of a roi_stage.pt; names of the levels are their numbers.

    Raises:
        BundleError: it is no Faster R-CNN's.
    """
    weights, stds = weights_of(stage)
    pooling = MultiScaleRoIAlign(
        [str(number) for number in range(levels)],
        output_size,
        sampling_ratio,
        canonical_scale=round(4 * finest_scale),
        canonical_level=round(math.log2(finest_stride)) + 2,
    )
    heads: Any = RoIHeads(
        pooling, _Features(weights), _Predictor(weights), 0.5, 0.5, 512, 0.25, tuple(1 / each for each in stds),
        score_threshold, nms_iou_threshold, keep,
    )  # fmt: skip
    return heads.eval()


def run(heads: RoIHeads, levels: list[Tensor], proposals: Tensor, picture_hw: tuple[int, int]) -> dict[str, Tensor]:
    """Detections of one picture: boxes [D, 4], labels [D] from 1, scores [D].

    RoIAlign is aligned, which torchvision's heads leave off and MMDetection's have: the same samples are taken.
    """

    def aligned(*given: Any, **named: Any) -> Tensor:  # noqa: ANN401 - as roi_align
        return roi_align(*given, **named, aligned=True)

    features = OrderedDict((str(number), level) for number, level in enumerate(levels))
    with torch.inference_mode(), patch.object(poolers, "roi_align", aligned):
        detections, _ = heads(features, [proposals], [picture_hw])
    return detections[0]


def differs(found: dict[str, Tensor], boxes: Tensor, classes: Tensor, scores: Tensor) -> str | None:
    """How torchvision's detections differ from a RoI stage's [D, 4], [D], [D] at `iou_weight` 0; None if not."""
    for number in range(len(boxes)):
        near = (found["boxes"] - boxes[number]).abs().amax(1) <= BOX_PX
        near &= (found["scores"] - scores[number]).abs() <= SCORE
        if not (near & (found["labels"] == classes[number] + 1)).any():
            return f"of {len(boxes)} detections, that number {number} with score {scores[number]:.3f} is not among its"
    return None
