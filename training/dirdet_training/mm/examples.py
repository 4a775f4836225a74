"""Training examples for judges: boxes, and the objects that determine how well the boxes fit."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.rivals.jitter import jittered_boxes


@dataclass(frozen=True)
class Examples:
    """One entry for each picture; boxes are in pixels of the canvas and carry no gradients.

    Attributes:
        proposals_xyxy: [P_b, 4], the boxes that the refined boxes were regressed from; for a drawn box, the box itself.
        refined_xyxy: [P_b, 4], the boxes to judge, clipped as in prediction.
        objects_xyxy: [P_b, 4], the boxes' objects; all 0 for a box without an object, whose purity, integrity and iou
            are 0.
        class_ids: [P_b], the objects' classes; -1 for none.
        object_ids: [P_b], integers that are distinct for all objects of all pictures; -1 for none.
        jittered_xyxy: [P_b, 4], boxes around the objects; empty unless they are requested.
    """

    proposals_xyxy: list[Tensor]
    refined_xyxy: list[Tensor]
    objects_xyxy: list[Tensor]
    class_ids: list[Tensor]
    object_ids: list[Tensor]
    jittered_xyxy: list[Tensor] = field(default_factory=list[Tensor])

    def jittered(self) -> "Examples":
        """Returns the examples with a box around each object whose IoU with it is uniform over [0.5, 1] (IoU-Net).

        Raises:
            ValueError: a box has no object.
        """
        return replace(self, jittered_xyxy=[jittered_boxes(boxes, 1).squeeze(1) for boxes in self.objects_xyxy])

    def of_objects(self, objects_xyxy: list[Tensor]) -> "Examples":
        """Returns the examples with other boxes of the same objects, one [G_b, 4] for each picture."""
        every = torch.cat(objects_xyxy)
        return replace(self, objects_xyxy=[every[ids] for ids in self.object_ids])

    @cached_property
    def ious(self) -> Tensor:
        """Computes the IoUs [P] of all pictures' boxes with their objects."""
        return geometry.iou(torch.cat(self.refined_xyxy), torch.cat(self.objects_xyxy))

    @classmethod
    def none(cls, pictures: int, like: Tensor) -> "Examples":
        """Makes examples without boxes for this number of pictures, on the device of a tensor."""
        boxes, ids = [like.new_zeros(0, 4)] * pictures, [like.new_zeros(0, dtype=torch.long)] * pictures
        return cls(boxes, boxes, boxes, ids, ids)


def positives_of(
    bbox_head: Any,  # noqa: ANN401
    sampling_results: list[Any],
    bbox_preds: Tensor,
    picture_hws: list[tuple[int, int]],
) -> Examples:
    """Returns the positives among sampled proposals, with the objects they were assigned to (section 3.4).

    Args:
        bbox_head: has `bbox_coder`, `reg_class_agnostic` and `num_classes`.
        sampling_results: one for each picture; positives come first.
        bbox_preds: [R, 4] or, class-specific, [R, 4 * classes]: all pictures' deltas, one after another.
        picture_hws: (height, width) of each picture on its canvas.
    """
    found = Examples([], [], [], [], [])
    objects = 0
    per_picture = bbox_preds.detach().split([len(result.priors) for result in sampling_results])
    for result, preds, picture_hw in zip(sampling_results, per_picture, picture_hws, strict=True):
        positive = preds[: len(result.pos_priors)]  # [P, 4 or 4 * classes]
        found.proposals_xyxy.append(result.pos_priors)
        found.refined_xyxy.append(_refined(bbox_head, result.pos_priors, positive, result.pos_gt_labels, picture_hw))
        found.objects_xyxy.append(result.pos_gt_bboxes.view(-1, 4))
        found.class_ids.append(result.pos_gt_labels)
        found.object_ids.append(result.pos_assigned_gt_inds.long() + objects)
        objects += result.num_gts
    return found


@dataclass(frozen=True)
class Refined:
    """Boxes of one picture and the boxes they were regressed from, both [N, 4], pixels of the canvas."""

    proposals_xyxy: Tensor
    boxes_xyxy: Tensor


def candidates_of(
    bbox_head: Any,  # noqa: ANN401
    sampling_results: list[Any],
    cls_scores: Tensor,
    bbox_preds: Tensor,
    picture_hws: list[tuple[int, int]],
    *,
    score_threshold: float,
) -> list[Refined]:
    """Returns the sampled proposals' boxes that would be candidates in inference, whether positive or not.

    Objects that were added to the proposals are left out. The box of a class-specific head is that of the class with
    the highest score.

    Args:
        bbox_head: has `bbox_coder`, `reg_class_agnostic`, `num_classes` and `loss_cls`.
        sampling_results: one for each picture; positives come first.
        cls_scores: [R, classes + 1], all pictures' logits, one after another.
        bbox_preds: [R, 4] or, class-specific, [R, 4 * classes].
        picture_hws: (height, width) of each picture on its canvas.
        score_threshold: the probability that the best class must exceed.
    """
    logits = cls_scores.detach().float()
    is_custom = getattr(bbox_head, "custom_activation", False)
    probabilities = bbox_head.loss_cls.get_activation(logits) if is_custom else logits.softmax(dim=1)
    best = probabilities[:, : bbox_head.num_classes].max(dim=1)
    sizes = [len(result.priors) for result in sampling_results]
    found: list[Refined] = []
    for result, scores, labels, preds, picture_hw in zip(
        sampling_results,
        best.values.split(sizes),
        best.indices.split(sizes),
        bbox_preds.detach().split(sizes),
        picture_hws,
        strict=True,
    ):
        chosen = scores > score_threshold
        chosen[: len(result.pos_priors)] &= ~result.pos_is_gt.bool()
        priors = result.priors[chosen]
        boxes = _refined(bbox_head, priors, preds[chosen], labels[chosen], picture_hw)
        found.append(Refined(priors, boxes))
    return found


def _refined(
    bbox_head: Any,  # noqa: ANN401
    priors: Tensor,
    deltas: Tensor,
    class_ids: Tensor,
    picture_hw: tuple[int, int],
) -> Tensor:
    """Regresses proposals [P, 4] as objects of their classes [P] to boxes [P, 4], clipped to the picture."""
    if not bbox_head.reg_class_agnostic:
        rows = torch.arange(len(deltas), device=deltas.device)
        deltas = deltas.unflatten(1, (-1, 4))[rows, class_ids]  # [P, 4]
    return bbox_head.bbox_coder.decode(priors, deltas, max_shape=picture_hw)
