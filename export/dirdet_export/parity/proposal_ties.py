"""Which differences are near-ties of the RPN: a proposal that rounding lets in or keeps out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.ops import box_iou, nms

from dirdet_export.parity.found import Found
from dirdet_export.parity.match import MAX_BOX_DIFFERENCE_PX, MAX_FIGURE_DIFFERENCE
from dirdet_export.parity.near_ties import NEAR
from dirdet_export.parity.reference import as_mmdet_batch

# Anchors that are looked at beyond the cut of each level.
BEYOND_CUT = 32


@dataclass(frozen=True, slots=True)
class Sources:
    """What every anchor near or above the cuts would become.

    Attributes:
        boxes_xyxy: [R, 1 or classes, 4] refined, pixels of the canvas.
        scores: [R, classes].
        fragile: [R] whether it is a proposal hangs on a near-tie.
    """

    boxes_xyxy: Tensor
    scores: Tensor
    fragile: Tensor

    def explain(self, boxes: Found) -> NDArray[np.bool_]:
        """[N] which boxes may come from a fragile proposal."""
        answers: list[bool] = []
        for box, class_id, score in zip(boxes.boxes_xyxy, boxes.class_id, boxes.score, strict=True):
            column = int(class_id) if self.boxes_xyxy.shape[1] > 1 else 0
            away = (self.boxes_xyxy[:, column] - torch.tensor(box, dtype=torch.float32)).abs().amax(1)  # [R]
            apart = (self.scores[:, int(class_id)] - float(score)).abs()
            answers.append(
                bool((self.fragile & (away <= MAX_BOX_DIFFERENCE_PX) & (apart <= MAX_FIGURE_DIFFERENCE)).any())
            )
        return np.array(answers, np.bool_).reshape(len(boxes))


def _fragile_level(boxes: Tensor, scores: Tensor, cut: float, nms_threshold: float) -> tuple[Tensor, Tensor]:
    """[n] fragile and [n] surviving among one level's boxes, best first."""
    fragile = (scores - cut).abs() <= NEAR
    ious = box_iou(boxes, boxes)  # [n, n]
    tied = (ious - nms_threshold).abs() <= NEAR
    tied |= (ious > nms_threshold) & ((scores[:, None] - scores[None]).abs() <= NEAR)
    tied.fill_diagonal_(False)
    fragile |= tied.any(1)
    overlapping = ious > nms_threshold - NEAR
    while True:  # what a fragile box suppresses, or would, is fragile too
        wider = fragile | (overlapping & fragile[None]).any(1)
        if torch.equal(wider, fragile):
            break
        fragile = wider
    survives = torch.zeros_like(fragile)
    survives[nms(boxes, scores, nms_threshold)] = True
    return fragile, survives


def _rpn_boxes(rpn: Any, levels: list[tuple[Tensor, Tensor]], picture_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Boxes [S, 4] near or above the cuts and which of them are fragile [S].

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
    for (objectness, deltas), anchors in zip(levels, grids, strict=True):
        flat = objectness.permute(1, 2, 0).flatten().sigmoid()
        limit = config.nms_pre if config.get("nms_pre", -1) > 0 else len(flat)
        # Where padding is most of a canvas, hundreds of its anchors may tie at the cut.
        near_cut = int((flat >= flat.topk(min(len(flat), limit)).values[-1] - NEAR).sum())
        best, index = flat.topk(min(len(flat), max(limit + BEYOND_CUT, near_cut)))
        table = deltas.permute(1, 2, 0).reshape(-1, 4)
        found = rpn.bbox_coder.decode(anchors[index], table[index], max_shape=picture_hw)
        cut = float(best[limit - 1]) if len(flat) > limit else -1.0
        level_fragile, level_survives = _fragile_level(found, best, cut, config.nms.iou_threshold)
        boxes.append(found)
        scores.append(best)
        fragile.append(level_fragile)
        survives.append(level_survives)
    all_scores, surviving = torch.cat(scores), torch.cat(survives)
    verdict = torch.cat(fragile)
    kept = all_scores[surviving].sort(descending=True).values
    if len(kept) > config.max_per_img:
        last = kept[config.max_per_img - 1]
        verdict |= (all_scores - last).abs() <= NEAR
    return torch.cat(boxes), verdict


def find_sources(model: nn.Module, pictures: list[NDArray[np.uint8]], index: int) -> Sources:
    """What one picture's anchors would become, with MMDetection's modules.

    Args:
        model: MMDetection's detector in evaluation mode.
        pictures: RGB [h, w, 3] each, resized; they make one batch.
        index: which of them.
    """
    part: Any = model
    with torch.no_grad():
        batch = part.data_preprocessor(as_mmdet_batch(pictures), False)
        features = part.extract_feat(batch["inputs"])
        objectness, deltas = part.rpn_head(features)
        levels = [(one[index], two[index]) for one, two in zip(objectness, deltas, strict=True)]
        hw = (pictures[index].shape[0], pictures[index].shape[1])
        boxes, fragile = _rpn_boxes(part.rpn_head, levels, hw)
        boxes, fragile = boxes[fragile], fragile[fragile]
        if not len(boxes):
            return Sources(boxes.view(0, 1, 4), boxes.new_zeros((0, _classes(part.roi_head))), fragile)
        # Without a test_cfg a RoI head gives all its boxes and scores.
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
