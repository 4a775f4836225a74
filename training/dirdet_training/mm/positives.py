"""The positive proposals of a training step: what they regress to and what they were assigned to."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.rivals.jitter import jittered_boxes


@dataclass(frozen=True)
class Positives:
    """One entry a picture; boxes in pixels of the canvas, without gradients.

    Attributes:
        proposals_xyxy: [P_b, 4].
        refined_xyxy: [P_b, 4], what the proposals regress to, clipped as in prediction.
        objects_xyxy: [P_b, 4], the objects they were assigned to.
        class_ids: [P_b], the objects' classes.
        object_ids: [P_b], integers that tell the objects of all pictures apart.
        jittered_xyxy: [P_b, 4], boxes around the objects; none unless asked for.
    """

    proposals_xyxy: list[Tensor]
    refined_xyxy: list[Tensor]
    objects_xyxy: list[Tensor]
    class_ids: list[Tensor]
    object_ids: list[Tensor]
    jittered_xyxy: list[Tensor] = field(default_factory=list[Tensor])

    def jittered(self) -> "Positives":
        """The same with a box around each positive's object whose IoU with it is uniform over [0.5, 1] (IoU-Net)."""
        return replace(self, jittered_xyxy=[jittered_boxes(boxes, 1).squeeze(1) for boxes in self.objects_xyxy])

    @cached_property
    def ious(self) -> Tensor:
        """[P], of all pictures' refined boxes with their objects."""
        return geometry.iou(torch.cat(self.refined_xyxy), torch.cat(self.objects_xyxy))

    @classmethod
    def none(cls, pictures: int, like: Tensor) -> "Positives":
        """No positive in so many pictures, where a tensor lies."""
        boxes, ids = [like.new_zeros(0, 4)] * pictures, [like.new_zeros(0, dtype=torch.long)] * pictures
        return cls(boxes, boxes, boxes, ids, ids)


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
    found = Positives([], [], [], [], [])
    objects = 0
    per_picture = bbox_preds.detach().split([len(result.priors) for result in sampling_results])
    for result, preds, picture_hw in zip(sampling_results, per_picture, picture_hws, strict=True):
        deltas = preds[: len(result.pos_priors)]  # [P, 4 or 4 * classes]
        if not bbox_head.reg_class_agnostic:
            rows = torch.arange(len(deltas), device=deltas.device)
            deltas = deltas.view(len(deltas), -1, 4)[rows, result.pos_gt_labels]  # [P, 4]
        found.proposals_xyxy.append(result.pos_priors)
        found.refined_xyxy.append(bbox_head.bbox_coder.decode(result.pos_priors, deltas, max_shape=picture_hw))
        found.objects_xyxy.append(result.pos_gt_bboxes.view(-1, 4))
        found.class_ids.append(result.pos_gt_labels)
        found.object_ids.append(result.pos_assigned_gt_inds.long() + objects)
        objects += result.num_gts
    return found
