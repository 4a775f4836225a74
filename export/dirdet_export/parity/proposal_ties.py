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


def small_sides(
    raw_xyxy: Tensor, clipped_to_hw: tuple[int, int] | None, min_side: float, doubt: float
) -> tuple[Tensor, Tensor]:
    """[n] whether MMDetection drops boxes for a short side, and whether rounding decides that.

    Args:
        raw_xyxy: [n, 4], pixels, not clipped yet.
        clipped_to_hw: the picture that they will be clipped to, beside which a side is negative here; None if they will
            not be.
        min_side: shorter or equal sides are dropped; negative for none.
        doubt: what rounding may add to a side, pixels.
    """
    if min_side < 0:
        none = torch.zeros(len(raw_xyxy), dtype=torch.bool)
        return none, none
    starts, ends = raw_xyxy[:, :2], raw_xyxy[:, 2:]
    if clipped_to_hw is not None:
        starts, ends = starts.clamp(min=0), ends.minimum(raw_xyxy.new_tensor(clipped_to_hw[::-1]))
    sides = (ends - starts).amin(1)  # [n]
    return sides < min_side - doubt, (sides - min_side).abs() <= doubt


def _fragile_level(
    boxes: Tensor, scores: Tensor, fragile: Tensor, nms_threshold: float, offset: float, near: float
) -> tuple[Tensor, Tensor]:
    """[n] fragile and [n] surviving among one level's boxes, best first; `offset` is MMDetection's of the level."""
    ious = box_iou(boxes, boxes)  # [n, n]
    # In float32 an offset moves the sides of small boxes.
    moved = box_iou(boxes + offset, boxes + offset)
    tied = ((ious - nms_threshold).abs() <= near) | ((ious > nms_threshold) != (moved > nms_threshold))
    tied |= (ious > nms_threshold) & ((scores[:, None] - scores[None]).abs() <= near)
    tied.fill_diagonal_(False)
    fragile = fragile | tied.any(1)
    overlapping = ious > nms_threshold - near
    while True:  # boxes that a fragile box suppresses, or would suppress, are fragile too
        wider = fragile | (overlapping & fragile[None]).any(1)
        if torch.equal(wider, fragile):
            break
        fragile = wider
    survives = torch.zeros_like(fragile)
    survives[nms(boxes, scores, nms_threshold)] = True
    return fragile, survives


@dataclass(frozen=True, slots=True)
class _Anchors:
    """Anchors of one level of one picture: probabilities [n], deltas [n, 4] and boxes [n, 4], pixels of the canvas."""

    scores: Tensor
    deltas: Tensor
    boxes_xyxy: Tensor

    @classmethod
    def of(cls, objectness: Tensor, deltas: Tensor, boxes_xyxy: Tensor) -> "_Anchors":
        """Those of objectness [A, h, w] and deltas [4 * A, h, w]."""
        flat = objectness.permute(1, 2, 0).flatten().sigmoid()
        return cls(flat, deltas.permute(1, 2, 0).reshape(-1, 4), boxes_xyxy)


def _anchors(rpn: Any, features: Any, sample: Any, index: int) -> list[_Anchors]:  # noqa: ANN401
    """The anchors of each level, as MMDetection's RPN head predicts them."""
    maps: list[list[Tensor]] = [[level[index] for level in levels] for levels in rpn(features)]
    sizes = [objectness.shape[-2:] for objectness in maps[0]]
    if len(maps) == 2:
        grids = rpn.prior_generator.grid_priors(sizes, device="cpu")
        return [_Anchors.of(*level) for level in zip(*maps, grids, strict=True)]
    objectness, deltas, shapes, locations = maps  # Guided Anchoring
    of_picture = [[level[None] for level in levels] for levels in (shapes, locations)]
    _, [boxes], [present] = rpn.get_anchors(sizes, *of_picture, [sample.metainfo], use_loc_filter=True, device="cpu")
    found: list[_Anchors] = []
    for one, two, anchors, rows in zip(objectness, deltas, boxes, present, strict=True):
        every = _Anchors.of(one, two, anchors)
        found.append(_Anchors(every.scores[rows], every.deltas[rows], anchors))
    return [level for level in found if len(level.scores)]


def _rpn_boxes(
    rpn: Any,  # noqa: ANN401
    levels: list[_Anchors],
    picture_hw: tuple[int, int],
    near: float,
) -> tuple[Tensor, Tensor]:
    """Boxes [S, 4] near or above the limits, and whether each is fragile [S].

    Args:
        rpn: MMDetection's RPN head.
        levels: the anchors of one picture.
        picture_hw: its height and width.
        near: values that differ by less may change their order.
    """
    config = rpn.test_cfg
    boxes: list[Tensor] = []
    scores: list[Tensor] = []
    fragile: list[Tensor] = []
    survives: list[Tensor] = []
    for number, anchors in enumerate(levels):
        flat = anchors.scores
        limit = config.nms_pre if config.get("nms_pre", -1) > 0 else len(flat)
        # If most of a canvas is padding, hundreds of its anchors may tie at the limit.
        near_cut = int((flat >= flat.topk(min(len(flat), limit)).values[-1] - near).sum())
        best, index = flat.topk(min(len(flat), max(limit + BEYOND_CUT, near_cut)))
        cut = float(best[limit - 1]) if len(flat) > limit else -1.0
        raw = rpn.bbox_coder.decode(anchors.boxes_xyxy[index], anchors.deltas[index])
        too_small, may_be_small = small_sides(
            raw,
            picture_hw if rpn.bbox_coder.clip_border else None,
            float(config.get("min_bbox_size", -1)),
            near * max(picture_hw),
        )
        index, best, may_be_small = index[~too_small], best[~too_small], may_be_small[~too_small]
        found = rpn.bbox_coder.decode(anchors.boxes_xyxy[index], anchors.deltas[index], max_shape=picture_hw)
        offset = number * (max(picture_hw) + 1.0)
        level_fragile, level_survives = _fragile_level(
            found, best, may_be_small | ((best - cut).abs() <= near), config.nms.iou_threshold, offset, near
        )
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
        verdict |= (all_scores - last).abs() <= near
    return torch.cat(boxes), verdict


def find_sources(model: nn.Module, batch: NetworkBatch, index: int, *, near: float) -> Sources:
    """Boxes and scores of one picture's anchors, computed with MMDetection's modules.

    Args:
        model: MMDetection's detector in evaluation mode.
        batch: of pictures.
        index: of the picture.
        near: values that differ by less may change their order.
    """
    part: Any = model
    with torch.no_grad():
        features = part.extract_feat(batch.inputs)
        levels = _anchors(part.rpn_head, features, batch.samples[index], index)
        hw = tuple(batch.samples[index].img_shape[:2])
        if not levels:
            return Sources(
                features[0].new_zeros(0, 1, 4), features[0].new_zeros(0, 1), torch.zeros(0, dtype=torch.bool)
            )
        boxes, fragile = _rpn_boxes(part.rpn_head, levels, hw, near)
        boxes, fragile = boxes[fragile], fragile[fragile]
        if not len(boxes):
            return Sources(boxes.view(0, 1, 4), boxes.new_zeros((0, _classes(part.roi_head))), fragile)
        # Without a test_cfg a RoI head returns all boxes and scores.
        x = tuple(level[index : index + 1] for level in features)
        branches = _branches(part.roi_head, x)
        raw = part.roi_head.predict_bbox(x, [{"img_shape": hw}], [InstanceData(bboxes=boxes)], None, **branches)[0]
    scores = raw.scores[:, :-1] * (raw.factors.unsqueeze(1) if "factors" in raw else 1)
    return Sources(raw.bboxes.unflatten(1, (-1, 4)), scores, fragile)


def _branches(roi_head: Any, x: tuple[Tensor, ...]) -> dict[str, Tensor]:  # noqa: ANN401
    """The features of the whole picture that the box heads of HTC and SCNet use."""
    heads = {"semantic": ("semantic_feat", "semantic_head"), "glbctx": ("glbctx_feat", "glbctx_head")}
    wanted = [names for branch, names in heads.items() if getattr(roi_head, f"with_{branch}", False)]
    return {name: getattr(roi_head, head)(x)[1] for name, head in wanted}


def _classes(roi_head: Any) -> int:  # noqa: ANN401
    heads: Any = roi_head.bbox_head
    last: Any = list(heads)[-1] if isinstance(heads, nn.ModuleList) else heads
    return last.num_classes
