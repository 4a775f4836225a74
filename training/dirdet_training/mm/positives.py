"""The positive proposals of a training step: what they regress to and what they were assigned to."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Positives:
    """One entry a picture; boxes in pixels of the canvas, without gradients.

    Attributes:
        proposals_xyxy: [P_b, 4].
        refined_xyxy: [P_b, 4], what the proposals regress to, clipped as in prediction.
        objects_xyxy: [P_b, 4], the objects they were assigned to.
    """

    proposals_xyxy: list[Tensor]
    refined_xyxy: list[Tensor]
    objects_xyxy: list[Tensor]


def positives_of(
    bbox_head: Any,  # noqa: ANN401
    sampling_results: list[Any],
    bbox_preds: Tensor,
    picture_hws: list[tuple[int, int]],
) -> Positives:
    """The positives among sampled proposals.

    Args:
        bbox_head: has `bbox_coder`, `reg_class_agnostic` and `num_classes`.
        sampling_results: one a picture; positives come first.
        bbox_preds: [R, 4] or, class-specific, [R, 4 * classes]: all pictures' deltas, one after another.
        picture_hws: (height, width) of each picture on its canvas.
    """
    found = Positives([], [], [])
    per_picture = bbox_preds.detach().split([len(result.priors) for result in sampling_results])
    for result, preds, picture_hw in zip(sampling_results, per_picture, picture_hws, strict=True):
        deltas = preds[: len(result.pos_priors)]  # [P, 4 or 4 * classes]
        if not bbox_head.reg_class_agnostic:
            rows = torch.arange(len(deltas), device=deltas.device)
            deltas = deltas.view(len(deltas), -1, 4)[rows, result.pos_gt_labels]  # [P, 4]
        found.proposals_xyxy.append(result.pos_priors)
        found.refined_xyxy.append(bbox_head.bbox_coder.decode(result.pos_priors, deltas, max_shape=picture_hw))
        found.objects_xyxy.append(result.pos_gt_bboxes.view(-1, 4))
    return found
