"""The RoI stage: from what the trunk gives to candidates and ranked detections."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dirdet_export.graph.candidates import Candidates, CandidateSet
from dirdet_export.graph.masks import Masks
from dirdet_export.graph.proposals import Proposals
from dirdet_export.graph.pyramid import Atlas
from dirdet_export.graph.ragged import distinct, fit, longest, pick, top
from dirdet_export.graph.suppress import ABSENT, suppress
from dirdet_training.geometry import combine_logits
from dirdet_training.nms import confidence


class Judgement(NamedTuple):
    """What the DIR head says of each candidate, [B, N] each, in [0, 1]."""

    purity: Tensor
    integrity: Tensor
    iou: Tensor


class RoIStage(nn.Module):
    """Proposals, box head, hindsight, DIR head and NMS ranked by the confidence; one definition for every runtime.

    Without a DIR head it is the plain detector: ranked by score, without purity, integrity and `iou_weight`. Masks are
    told of what survives: the request's thresholds are this stage's inputs, so that nothing else is ever answered.
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
    ) -> None:
        """Joins the steps.

        Args:
            proposals: the RPN's part.
            candidates: the box head's part, whose `keep` is M.
            dir_head: features [R, C, s, s] to logits of purity and integrity [R] each; None for a plain detector.
            levels: pyramid levels to pool from.
            keep: D, detections of a picture.
            masks: boxes and classes to masks; None for a detector without.
            semantic: after the pyramid's levels comes a semantic map.
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

    @property
    def mask_size(self) -> int | None:
        """S, cells along each side of a mask; None without masks."""
        return None if self.masks is None else self.masks.size

    def judge(self, atlas: Atlas, found: CandidateSet, dir_head: nn.Module) -> Judgement:
        """Purity and integrity of candidates, on features pooled from their refined boxes (section 3.3), and Eq. 5."""
        boxes = found.boxes_xyxy
        if not self.candidates.class_agnostic:
            x, y = (each.reshape(found.score.shape) for each in dir_head(self.candidates.pooling(atlas, boxes)))
        else:
            # Candidates of several classes share a box, which is looked at once.
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
            integrity [B, M], num_candidates [B], kept [B, D] (positions among the candidates, highest confidence
            first), num_detections [B], and from a detector with masks mask [B, D, S, S], of the kept in their order;
            zero where there is none.
        """
        pooled = self.levels + self.semantic
        maps, request = tensors[: pooled + 2 * self.rpn_levels], tensors[pooled + 2 * self.rpn_levels :]
        atlas = self.candidates.pooling.atlas(list(maps[:pooled]))
        objectness = list(maps[pooled : pooled + self.rpn_levels])
        deltas = list(maps[pooled + self.rpn_levels :])
        picture_hw, score_threshold, nms_iou_threshold = request[0], request[1], request[-1]

        boxes, real = self.proposals(objectness, deltas, picture_hw)
        found = self.candidates(atlas, boxes, real, picture_hw, score_threshold)
        judged: tuple[Tensor, ...] = ()
        rank = found.score
        if self.dir_head is not None:
            purity, integrity, iou = self.judge(atlas, found, self.dir_head)
            rank = confidence(found.score, iou, request[2].unsqueeze(1))
            judged = (purity * found.real, integrity * found.real)

        survives = suppress(
            found.boxes_xyxy,
            rank,
            found.class_id,
            found.real,
            nms_iou_threshold,
            groups=self.candidates.classes,
            limit=self.keep,
        )
        best, kept = top(torch.where(survives, rank, ABSENT), self.keep)
        detected = best > ABSENT / 2
        told: tuple[Tensor, ...] = ()
        if self.masks is not None:
            told = (self._mask(self.masks, atlas, found, kept, detected),)
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

    def _mask(self, masks: Masks, atlas: Atlas, found: CandidateSet, kept: Tensor, detected: Tensor) -> Tensor:
        """Masks [B, D, S, S] of candidates at the positions `kept` [B, K] as far as they are `detected` [B, K]."""
        used = longest(detected)
        rows, present = kept[:, :used], detected[:, :used]
        told = masks(atlas, pick(found.boxes_xyxy, rows), found.class_id.gather(1, rows))  # [B, used, S, S]
        return fit(told * present.unsqueeze(-1).unsqueeze(-1), self.keep)
