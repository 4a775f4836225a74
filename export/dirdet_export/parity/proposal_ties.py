"""Differences explained by near-ties of the RPN: rounding decides whether an anchor becomes a proposal."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.ops import box_iou, nms

from dirdet_export.parity.found_boxes import Found
from dirdet_export.parity.match import MAX_BOX_DIFFERENCE_PX, MAX_FIGURE_DIFFERENCE
from dirdet_export.parity.near_ties import NEAR
from dirdet_export.parity.reference import NetworkBatch

# Anchors examined beyond the limit of each level.
BEYOND_CUT = 32


@dataclass(frozen=True, slots=True)
class Sources:
    """The boxes and scores of every anchor near or above the limits.

    Attributes:
        boxes_xyxy: [R, 1 or classes, 4] refined, pixels of the canvas.
        scores: [R, classes].
        fragile: [R] whether a near-tie decides if it is a proposal.
    """

    boxes_xyxy: Tensor
    scores: Tensor
    fragile: Tensor

    def explain(self, boxes: Found) -> NDArray[np.bool_]:
        """[N] whether each box may come from a fragile proposal."""
        answers: list[bool] = []
        for box, class_id, score in zip(boxes.boxes_xyxy, boxes.class_id, boxes.score, strict=True):
            column = int(class_id) if self.boxes_xyxy.shape[1] > 1 else 0
            away = (self.boxes_xyxy[:, column] - torch.tensor(box, dtype=torch.float32)).abs().amax(1)  # [R]
            apart = (self.scores[:, int(class_id)] - float(score)).abs()
            answers.append(
                bool((self.fragile & (away <= MAX_BOX_DIFFERENCE_PX) & (apart <= MAX_FIGURE_DIFFERENCE)).any())
            )
        return np.array(answers, np.bool_).reshape(len(boxes))


def _fragile_level(
    boxes: Tensor, scores: Tensor, cut: float, nms_threshold: float, offset: float
) -> tuple[Tensor, Tensor]:
    """[n] fragile and [n] surviving among one level's boxes, best first; `offset` is MMDetection's of the level."""
    fragile = (scores - cut).abs() <= NEAR
    ious = box_iou(boxes, boxes)  # [n, n]
    # In float32 an offset moves the sides of small boxes.
    moved = box_iou(boxes + offset, boxes + offset)
    tied = ((ious - nms_threshold).abs() <= NEAR) | ((ious > nms_threshold) != (moved > nms_threshold))
    tied |= (ious > nms_threshold) & ((scores[:, None] - scores[None]).abs() <= NEAR)
    tied.fill_diagonal_(False)
    fragile |= tied.any(1)
    overlapping = ious > nms_threshold - NEAR
    while True:  # boxes that a fragile box suppresses, or would suppress, are fragile too
        wider = fragile | (overlapping & fragile[None]).any(1)
        if torch.equal(wider, fragile):
            break
        fragile = wider
    survives = torch.zeros_like(fragile)
    survives[nms(boxes, scores, nms_threshold)] = True
    return fragile, survives


def _rpn_boxes(rpn: Any, levels: list[tuple[Tensor, Tensor]], picture_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Boxes [S, 4] near or above the limits, and whether each is fragile [S].

    Args:
        rpn: MMDetection's RPNHead.
        levels: objectness [A, h, w] and deltas [4 * A, h, w] of one picture.
        picture_hw: its height and width.
    """
    config = rpn.test_cfg
    grids = rpn.prior_generator.grid_priors([maps[0].shape[-2:] for maps in levels], device="cpu")
    boxes: list[Tensor] = []
    scores: list[Tensor] = []
    fragile: list[Tensor] = []
    survives: list[Tensor] = []
    for number, ((objectness, deltas), anchors) in enumerate(zip(levels, grids, strict=True)):
        flat = objectness.permute(1, 2, 0).flatten().sigmoid()
        limit = config.nms_pre if config.get("nms_pre", -1) > 0 else len(flat)
        # If most of a canvas is padding, hundreds of its anchors may tie at the limit.
        near_cut = int((flat >= flat.topk(min(len(flat), limit)).values[-1] - NEAR).sum())
        best, index = flat.topk(min(len(flat), max(limit + BEYOND_CUT, near_cut)))
        table = deltas.permute(1, 2, 0).reshape(-1, 4)
        found = rpn.bbox_coder.decode(anchors[index], table[index], max_shape=picture_hw)
        cut = float(best[limit - 1]) if len(flat) > limit else -1.0
        offset = number * (max(picture_hw) + 1.0)
        level_fragile, level_survives = _fragile_level(found, best, cut, config.nms.iou_threshold, offset)
        boxes.append(found)
        scores.append(best)
        fragile.append(level_fragile)
        # Those beyond the level's limit take no place among the proposals.
        survives.append(level_survives & (best >= cut))
    all_scores, surviving = torch.cat(scores), torch.cat(survives)
    verdict = torch.cat(fragile)
    kept = all_scores[surviving].sort(descending=True).values
    if len(kept) > config.max_per_img:
        last = kept[config.max_per_img - 1]
        verdict |= (all_scores - last).abs() <= NEAR
    return torch.cat(boxes), verdict


def find_sources(model: nn.Module, batch: NetworkBatch, index: int) -> Sources:
    """Boxes and scores of one picture's anchors, computed with MMDetection's modules.

    Args:
        model: MMDetection's detector in evaluation mode.
        batch: of pictures.
        index: of the picture.
    """
    part: Any = model
    with torch.no_grad():
        features = part.extract_feat(batch.inputs)
        objectness, deltas = part.rpn_head(features)
        levels = [(one[index], two[index]) for one, two in zip(objectness, deltas, strict=True)]
        hw = tuple(batch.samples[index].img_shape[:2])
        boxes, fragile = _rpn_boxes(part.rpn_head, levels, hw)
        boxes, fragile = boxes[fragile], fragile[fragile]
        if not len(boxes):
            return Sources(boxes.view(0, 1, 4), boxes.new_zeros((0, _classes(part.roi_head))), fragile)
        # Without a test_cfg a RoI head returns all boxes and scores.
        x = tuple(level[index : index + 1] for level in features)
        semantic = {"semantic_feat": part.roi_head.semantic_head(x)[1]} if _has_semantic(part.roi_head) else {}
        raw = part.roi_head.predict_bbox(x, [{"img_shape": hw}], [InstanceData(bboxes=boxes)], None, **semantic)[0]
    return Sources(raw.bboxes.view(len(boxes), -1, 4), raw.scores[:, :-1], fragile)


def _has_semantic(roi_head: Any) -> bool:  # noqa: ANN401
    return bool(getattr(roi_head, "with_semantic", False))


def _classes(roi_head: Any) -> int:  # noqa: ANN401
    heads: Any = roi_head.bbox_head
    last: Any = list(heads)[-1] if isinstance(heads, nn.ModuleList) else heads
    return last.num_classes
