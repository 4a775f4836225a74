"""The RoI stage: the trunk's outputs to candidates and ranked detections."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dirdet_export.graph.candidates import Candidates, CandidateSet
from dirdet_export.graph.masks import Masks
from dirdet_export.graph.nms_without_waits import AtOnce
from dirdet_export.graph.padded_nms import ABSENT, ONE_BY_ONE, Steps
from dirdet_export.graph.padded_rows import distinct, fit, pick, top
from dirdet_export.graph.padding import padded_hw
from dirdet_export.graph.proposals import Proposals
from dirdet_export.graph.pyramid import Atlas
from dirdet_training.confidence import confidence
from dirdet_training.geometry import combine_logits


class Judgement(NamedTuple):
    """Output of the DIR head for each candidate, [B, N] each, in [0, 1]."""

    purity: Tensor
    integrity: Tensor
    iou: Tensor


class RoIStage(nn.Module):
    """Proposals, box head, hindsight, DIR head and NMS ranked by the confidence, for every runtime.

    Without a DIR head it is the plain detector: it ranks by score and has no purity, integrity and `iou_weight`. Masks
    are computed for the kept candidates only; the request's thresholds are inputs of this stage, so that no other masks
    are needed.
    """

    def __init__(
        self,
        *,
        proposals: Proposals,
        candidates: Candidates,
        dir_head: nn.Module | None,
        levels: int,
        keep: int,
        masks: Masks | None = None,
        semantic: bool = False,
        multiple: int = 1,
        at_least_hw: Sequence[int] = (0, 0),
        nms_over_classes: bool = False,
        judged: int | None = None,
    ) -> None:
        """Takes the steps.

        Args:
            proposals: the RPN's part.
            candidates: the box head's part; its `keep` is M.
            dir_head: features [R, C, s, s] to logits of purity and integrity [R] each; None for a plain detector.
            levels: number of pyramid levels that boxes are pooled from.
            keep: D, largest number of detections per picture.
            masks: boxes and classes to masks; None for a detector without masks.
            semantic: whether a semantic map follows the pyramid's levels.
            multiple: of a Pad step of the test pipeline (`graph.padding`): boxes lie inside the padded picture.
            at_least_hw: of the Pad step.
            nms_over_classes: whether a box suppresses boxes of other classes too (`class_agnostic` of MMDetection's
                NMS).
            judged: the DIR head judges at most this many candidates per picture, and only they remain, where
                `iou_weight` is above 0; None for all.
        """
        super().__init__()
        self.proposals = proposals
        self.candidates = candidates
        self.dir_head = dir_head
        self.levels = levels
        self.rpn_levels = len(proposals.strides_wh)
        self.keep = keep
        self.masks = masks
        self.semantic = semantic
        self.multiple = multiple
        self.at_least_hw = tuple(at_least_hw)
        self.nms_over_classes = nms_over_classes
        self.judged = judged

    @property
    def mask_size(self) -> int | None:
        """S, cells along each side of a mask; None without masks."""
        return None if self.masks is None else self.masks.size

    def judge(self, atlas: Atlas, found: CandidateSet, dir_head: nn.Module, steps: Steps = ONE_BY_ONE) -> Judgement:
        """Purity and integrity of candidates, from features pooled on their refined boxes (section 3.3), and Eq. 5."""
        boxes = found.boxes_xyxy
        # The number of distinct boxes depends on the values.
        if not self.candidates.class_agnostic or steps.used(found.real) is None:
            x, y = (each.reshape(found.score.shape) for each in dir_head(self.candidates.pooling(atlas, boxes)))
        else:
            # Candidates of several classes can share a box, which is judged once.
            columns, place = distinct(found.source, self.proposals.keep + 1)  # [B, U], [B, N]
            logits = dir_head(self.candidates.pooling(atlas, pick(boxes, columns)))
            x, y = (each.reshape(columns.shape).gather(1, place) for each in logits)  # [B, N] each
        return Judgement(x.sigmoid(), y.sigmoid(), combine_logits(x, y).sigmoid())

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Detections of a batch.

        Args:
            *tensors: the trunk's outputs, then `picture_hw` [B, 2], `score_threshold` [B], with a DIR head
                `iou_weight` [B], and `nms_iou_threshold` [].

        Returns:
            boxes [B, M, 4] (xyxy, pixels of the canvas), class_id [B, M], score [B, M], with a DIR head purity and
            integrity [B, M], num_candidates [B], kept [B, D], num_detections [B], with masks mask [B, D, S, S]. `kept`
            has indices of candidates, highest confidence first; masks have its order. Padding is zero.
        """
        return self.run(tensors, ONE_BY_ONE)

    def at_once(self, *tensors: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Detections as of `forward`, computed in steps that never let the host wait for the device.

        Args:
            *tensors: as of `forward`; `nms_iou_threshold` is [] or, one for each picture, [B].

        Returns:
            The tensors, and whether they are right: [], boolean. If it is false, `forward` computes them.
        """
        steps = AtOnce()
        found = self.run(tensors, steps)
        return found, torch.stack(steps.settled).all()

    def run(self, tensors: tuple[Tensor, ...], steps: Steps) -> tuple[Tensor, ...]:
        pooled = self.levels + self.semantic
        maps, request = tensors[: pooled + 2 * self.rpn_levels], tensors[pooled + 2 * self.rpn_levels :]
        atlas = self.candidates.pooling.atlas(list(maps[:pooled]))
        objectness = list(maps[pooled : pooled + self.rpn_levels])
        deltas = list(maps[pooled + self.rpn_levels :])
        picture_hw, score_threshold, nms_iou_threshold = request[0], request[1], request[-1]
        if self.multiple > 1 or any(self.at_least_hw):
            picture_hw = padded_hw(picture_hw, self.multiple, self.at_least_hw)

        boxes, real = self.proposals(objectness, deltas, picture_hw, steps)
        found = self.candidates(atlas, boxes, real, picture_hw, score_threshold, steps)
        judged: tuple[Tensor, ...] = ()
        rank = found.score
        if self.dir_head is not None:
            if self.judged is not None:
                found = found.best(self.judged, unless=request[2] == 0, steps=steps)
                rank = found.score
            purity, integrity, iou = self.judge(atlas, found, self.dir_head, steps)
            rank = confidence(found.score, iou, request[2].unsqueeze(1))
            judged = (purity * found.real, integrity * found.real)

        survives = steps.suppress(
            found.boxes_xyxy,
            rank,
            torch.zeros_like(found.class_id) if self.nms_over_classes else found.class_id,
            found.real,
            nms_iou_threshold,
            groups=1 if self.nms_over_classes else self.candidates.classes,
            limit=self.keep,
        )
        best, kept = top(torch.where(survives, rank, ABSENT), self.keep)
        detected = best > ABSENT / 2
        told: tuple[Tensor, ...] = ()
        if self.masks is not None:
            told = (self._mask(self.masks, atlas, found, kept, detected, steps),)
        size = self.candidates.keep
        return (
            fit(found.boxes_xyxy, size),
            fit(found.class_id, size),
            fit(found.score, size),
            *(fit(values, size) for values in judged),
            found.real.sum(1),
            fit(kept * detected, self.keep),
            detected.sum(1),
            *told,
        )

    def _mask(
        self, masks: Masks, atlas: Atlas, found: CandidateSet, kept: Tensor, detected: Tensor, steps: Steps
    ) -> Tensor:
        """Masks [B, D, S, S] of the candidates `kept` [B, K]; zero where `detected` [B, K] is false."""
        used = steps.used(detected)
        rows, present = kept[:, :used], detected[:, :used]
        told = masks(atlas, pick(found.boxes_xyxy, rows), found.class_id.gather(1, rows))  # [B, used, S, S]
        return fit(told * present.unsqueeze(-1).unsqueeze(-1), self.keep)
