"""Candidates: pairs of refined box and class whose score is above the threshold."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dirdet_export.graph.box_heads import Said
from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.fused import Pooling
from dirdet_export.graph.pyramid import Atlas
from dirdet_export.graph.ragged import longest, pick, top
from dirdet_export.graph.suppress import ABSENT


class CandidateSet(NamedTuple):
    """The candidates of each picture, best scored first; N is as small as the fullest picture allows, at least 1.

    Attributes:
        boxes_xyxy: [B, N, 4], pixels of the canvas, inside the picture.
        class_id: [B, N], integers from 0.
        score: [B, N], the classifier's probability.
        real: [B, N], boolean; the others are zero.
        source: [B, N], which box it is: equal for candidates of several classes that share one; 0 for the others.
    """

    boxes_xyxy: Tensor
    class_id: Tensor
    score: Tensor
    real: Tensor
    source: Tensor


class Candidates(nn.Module):
    """Box head on proposals, and the best pairs of refined box and class."""

    def __init__(
        self,
        *,
        pooling: Pooling,
        box_heads: nn.Module,
        decoder: BoxDecoder,
        classes: int,
        class_agnostic: bool,
        keep: int,
    ) -> None:
        """Joins a detector's own box heads with what surrounds them.

        Args:
            pooling: of the features that DIR judges refined boxes by.
            box_heads: what the architecture says of proposals (`graph.box_heads`).
            decoder: of its deltas.
            classes: number of classes.
            class_agnostic: one refined box for each proposal, else one for each proposal and class.
            keep: M, candidates of a picture.
        """
        super().__init__()
        self.pooling = pooling
        self.box_heads = box_heads
        self.decoder = decoder
        self.classes = classes
        self.class_agnostic = class_agnostic
        self.keep = keep

    def forward(
        self, atlas: Atlas, proposals_xyxy: Tensor, real: Tensor, picture_hw: Tensor, score_threshold: Tensor
    ) -> CandidateSet:
        """Scores proposals and refines the best.

        Args:
            atlas: the pyramid.
            proposals_xyxy: [B, P, 4], pixels of the canvas.
            real: [B, P], boolean; the others are padding.
            picture_hw: [B, 2], integers, the part of each canvas that is picture.
            score_threshold: [B]; a candidate's score is above it.
        """
        batch = proposals_xyxy.shape[0]
        said: Said = self.box_heads(atlas, proposals_xyxy, picture_hw)
        scores = said.logits.softmax(-1)[:, :-1].reshape(batch, -1, self.classes)  # [B, P, classes]
        above = (scores > score_threshold.view(-1, 1, 1)) & real.unsqueeze(-1)
        best, pair = top(torch.where(above, scores, ABSENT).flatten(1), self.keep)  # [B, N]
        present = best > ABSENT / 2
        used = longest(present)
        best, pair, present = best[:, :used], pair[:, :used], present[:, :used]
        proposal = torch.div(pair, self.classes, rounding_mode="trunc")  # [B, N]
        # Only what was chosen is decoded: a class-specific head has a box for every proposal and class.
        source = proposal if self.class_agnostic else pair  # [B, N]
        chosen = pick(said.deltas.reshape(batch, -1, 4), source)  # [B, N, 4]
        boxes = self.decoder(pick(said.starts_xyxy, proposal), chosen, picture_hw)  # [B, N, 4]
        return CandidateSet(
            boxes * present.unsqueeze(-1),
            (pair % self.classes) * present,
            best * present,
            present,
            (source + 1) * present,
        )
