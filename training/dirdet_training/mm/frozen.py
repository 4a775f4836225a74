"""Trains judges on a detector that stays as it is: from its predictions, without its own losses."""

from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.mm.examples import Examples, Refined
from dirdet_training.mm.head_samples import Seen

# The parts that are trained.
JUDGES = ("roi_head.dir_head.", "roi_head.judges.")


def freeze(model: Any, learning: Sequence[str] = JUDGES) -> None:  # noqa: ANN401
    """Leaves gradients to the named weights alone, in place.

    If these are the judges, the detector computes no losses of its own from now on. Therefore it needs no annotations
    but boxes and classes, also with heads for masks or a semantic branch, and its RPN and box heads may be of any kind
    that predicts.

    Args:
        model: a two-stage detector with DIR.
        learning: prefixes of the names of the weights that are trained.
    """
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith(tuple(learning)))
    if tuple(learning) == JUDGES:
        model.loss = MethodType(_judge_losses, model)


def _judge_losses(model: Any, inputs: Tensor, samples: list[Any]) -> dict[str, Any]:  # noqa: ANN401
    x, seen = predicted(model, inputs, samples)
    return model.roi_head.judge_losses(x, model.roi_head.learns_from.draw(seen))


@torch.no_grad()
def predicted(model: Any, inputs: Tensor, samples: list[Any]) -> tuple[tuple[Tensor, ...], Seen]:  # noqa: ANN401
    """Returns the pyramid of training pictures and the boxes that judges may be trained on, as in inference.

    Args:
        model: a two-stage detector with DIR in evaluation mode.
        inputs: [B, 3, H, W], what the data preprocessor made.
        samples: one for each picture, with the objects.
    """
    x = model.extract_feat(inputs)
    proposals = model.rpn_head.predict(x, samples, rescale=False)
    head = model.roi_head
    raw, starts = head.raw_boxes(x, [sample.metainfo for sample in samples], proposals)
    objects = [get_box_tensor(sample.gt_instances.bboxes) for sample in samples]
    class_ids = [sample.gt_instances.labels for sample in samples]
    positives = _positives(raw, starts, objects, class_ids, lowest_iou=head.positive_iou)
    candidates = [_candidates(head, *pair) for pair in zip(raw, starts, strict=True)]
    return x, Seen.of(samples, positives, candidates)


def _candidates(head: Any, raw: InstanceData, starts_xyxy: Tensor) -> Refined:  # noqa: ANN401
    """Returns the distinct boxes that the head judges in inference."""
    found = head.candidates_in(raw, starts_xyxy, head.test_cfg)
    first = found.box_ids.new_tensor(list({int(box): row for row, box in enumerate(found.box_ids)}.values()))
    return Refined(found.proposals[first], found.bboxes[first])


def _positives(
    raw: list[InstanceData],
    starts_xyxy: list[Tensor],
    objects_xyxy: list[Tensor],
    class_ids: list[Tensor],
    *,
    lowest_iou: float,
) -> Examples:
    """Returns the boxes whose starts overlap an object by at least `lowest_iou`, as boxes of the object's class."""
    found = Examples([], [], [], [], [])
    count = 0
    for result, starts, objects, labels in zip(raw, starts_xyxy, objects_xyxy, class_ids, strict=True):
        if len(objects):
            best = geometry.iou(starts[:, None], objects[None]).max(dim=1)  # [R]
            rows = (best.values >= lowest_iou).nonzero().squeeze(1)  # [P]
            owners = best.indices[rows]
        else:
            rows = owners = labels.new_zeros(0)
        boxes = result.bboxes.unflatten(1, (-1, 4))  # [R, 1 or classes, 4]
        found.proposals_xyxy.append(starts[rows])
        found.refined_xyxy.append(boxes[rows, labels[owners] if boxes.shape[1] > 1 else 0])
        found.objects_xyxy.append(objects[owners].view(-1, 4))
        found.class_ids.append(labels[owners])
        found.object_ids.append(owners + count)
        count += len(objects)
    return found
