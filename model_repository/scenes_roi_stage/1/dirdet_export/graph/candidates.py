"""Candidates: pairs of a refined box and a class with a score above the threshold."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dirdet_export.graph.box_heads import Decoder, Said
from dirdet_export.graph.other_poolings import Pooling
from dirdet_export.graph.padded_nms import ABSENT, ONE_BY_ONE, Steps
from dirdet_export.graph.padded_rows import pick, top
from dirdet_export.graph.pyramid import Atlas


class CandidateSet(NamedTuple):
    """The candidates of each picture, best scored first; N is at least 1.

    Attributes:
        boxes_xyxy: [B, N, 4], pixels of the canvas, inside the picture.
        class_id: [B, N], integers from 0.
        score: [B, N], the classifier's probability; from SABL times the certainty of the box's sides.
        real: [B, N], boolean; false rows are zero.
        source: [B, N], index of the box; candidates of several classes can share it; 0 for padding.
    """

    boxes_xyxy: Tensor
    class_id: Tensor
    score: Tensor
    real: Tensor
    source: Tensor

    def best(self, limit: int, *, unless: Tensor, steps: Steps = ONE_BY_ONE) -> "CandidateSet":
        """The first `limit` of each picture, and all of pictures where `unless` [B] is true."""
        place = torch.ones_like(self.class_id).cumsum(1)  # [B, N], from 1
        real = self.real & ((place <= limit) | unless.unsqueeze(1))
        used = steps.used(real)
        real = real[:, :used]
        return CandidateSet(
            self.boxes_xyxy[:, :used] * real.unsqueeze(-1),
            self.class_id[:, :used] * real,
            self.score[:, :used] * real,
            real,
            self.source[:, :used] * real,
        )


class Candidates(nn.Module):
    """Scores proposals with the box heads and selects the best pairs of refined box and class."""

    def __init__(
        self,
        *,
        pooling: Pooling,
        box_heads: nn.Module,
        decoder: Decoder,
        classes: int,
        class_agnostic: bool,
        keep: int,
    ) -> None:
        """Takes the parts of a detector.

        Args:
            pooling: of the refined boxes' features for DIR.
            box_heads: box heads of the architecture (`graph.box_heads`).
            decoder: of its deltas.
            classes: number of classes.
            class_agnostic: one refined box per proposal, else one per proposal and class.
            keep: M, largest number of candidates per picture.
        """
        super().__init__()
        self.pooling = pooling
        self.box_heads = box_heads
        self.decoder = decoder
        self.classes = classes
        self.class_agnostic = class_agnostic
        self.keep = keep

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities [R, classes] from logits [R, classes + 1], the last of which is the background's."""
        return logits.softmax(-1)[:, :-1]

    def forward(
        self,
        atlas: Atlas,
        proposals_xyxy: Tensor,
        real: Tensor,
        picture_hw: Tensor,
        score_threshold: Tensor,
        steps: Steps = ONE_BY_ONE,
    ) -> CandidateSet:
        """Scores proposals and refines the best.

        Args:
            atlas: the pyramid.
            proposals_xyxy: [B, P, 4], pixels of the canvas.
            real: [B, P], boolean; false rows are padding.
            picture_hw: [B, 2], integers, size of the picture on each canvas.
            score_threshold: [B]; the classifier's probability is above it.
            steps: whether padding is cut off.
        """
        batch = proposals_xyxy.shape[0]
        said: Said = self.box_heads(atlas, proposals_xyxy, picture_hw)
        scores = self.probabilities(said.logits).reshape(batch, -1, self.classes)  # [B, P, classes]
        above = (scores > score_threshold.view(-1, 1, 1)) & real.unsqueeze(-1)
        ranks = self.decoder.ranked(scores, said.deltas)
        best, pair = top(torch.where(above, ranks, ABSENT).flatten(1), self.keep)  # [B, N]
        present = best > ABSENT / 2
        used = steps.used(present)
        best, pair, present = best[:, :used], pair[:, :used], present[:, :used]
        proposal = torch.div(pair, self.classes, rounding_mode="trunc")  # [B, N]
        # Only the chosen boxes are decoded: a class-specific head has a box for every proposal and class.
        source = proposal if self.class_agnostic else pair  # [B, N]
        chosen = pick(said.deltas.reshape(batch, -1, self.decoder.width), source)  # [B, N, width]
        boxes = self.decoder(pick(said.starts_xyxy, proposal), chosen, picture_hw)  # [B, N, 4]
        return CandidateSet(
            boxes * present.unsqueeze(-1),
            (pair % self.classes) * present,
            best * present,
            present,
            (source + 1) * present,
        )


class SeesawCandidates(Candidates):
    """Candidates of a classifier trained with the Seesaw loss, which judges separately whether there is an object."""

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities [R, classes] from logits [R, classes + 2]; the last two are those of object and background."""
        return logits[:, :-2].softmax(-1) * logits[:, -2:].softmax(-1)[:, :1]


class SigmoidCandidates(Candidates):
    """Candidates of a classifier with an independent probability for each class."""

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities [R, classes] from logits [R, classes], without one of the background."""
        return logits.sigmoid()
