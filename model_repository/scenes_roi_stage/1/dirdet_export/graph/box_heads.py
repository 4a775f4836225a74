"""The box heads of each architecture: proposals to logits and deltas."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.heads import MovingHead
from dirdet_export.graph.other_poolings import Pooling
from dirdet_export.graph.padded_rows import pick
from dirdet_export.graph.pyramid import Atlas, PyramidPooling
from dirdet_export.graph.side_head import BucketDecoder
from dirdet_export.graph.tsd_pooling import MovedBins

Decoder = BoxDecoder | BucketDecoder


class Said(NamedTuple):
    """Output of the box heads for P proposals per picture.

    Attributes:
        logits: [B * P, classes + 1], the last is the background's; see `Candidates.probabilities`.
        starts_xyxy: [B, P, 4], the boxes that the deltas refine, pixels of the canvas.
        deltas: [B * P, 4] or, class-specific, [B * P, 4 * classes]; from SABL values as of `BucketDecoder`.
    """

    logits: Tensor
    starts_xyxy: Tensor
    deltas: Tensor


class OneHead(nn.Module):
    """Box head of Faster R-CNN: one pooling and one head."""

    def __init__(self, *, pooling: Pooling, head: nn.Module) -> None:
        """Takes the parts of a detector.

        Args:
            pooling: of the proposals' features.
            head: features [R, C, s, s] to logits and deltas.
        """
        super().__init__()
        self.pooling = pooling
        self.head = head

    def forward(self, atlas: Atlas, proposals_xyxy: Tensor, picture_hw: Tensor) -> Said:  # noqa: ARG002
        """Logits and deltas of proposals [B, P, 4], pixels of the canvas."""
        logits, deltas = self.head(self.pooling(atlas, proposals_xyxy))
        return Said(logits, proposals_xyxy, deltas)


class TwoHeads(nn.Module):
    """Box heads of Double-Head R-CNN: the convolutional head regresses on enlarged boxes (CVPR 2020, section 4)."""

    def __init__(self, *, pooling: PyramidPooling, head: nn.Module, enlarge: float) -> None:
        """Takes the parts of a detector.

        Args:
            pooling: of the proposals' features.
            head: features for classification and for regression [R, C, s, s] to logits and deltas.
            enlarge: factor of the sides of the regression's boxes.
        """
        super().__init__()
        self.pooling = pooling
        self.head = head
        self.enlarge = enlarge

    def forward(self, atlas: Atlas, proposals_xyxy: Tensor, picture_hw: Tensor) -> Said:  # noqa: ARG002
        """Logits and deltas of proposals [B, P, 4], pixels of the canvas."""
        seen = self.pooling(atlas, proposals_xyxy)
        logits, deltas = self.head(seen, self.pooling.enlarged(atlas, proposals_xyxy, self.enlarge))
        return Said(logits, proposals_xyxy, deltas)


class MovedHeads(nn.Module):
    """Box head of TSD: regression uses a shifted box and classification moved bins; the proposal determines both."""

    def __init__(self, *, pooling: PyramidPooling, head: MovingHead, shift: bool, deform: bool) -> None:
        """Takes the parts of a detector.

        Args:
            pooling: of the features that the moves are predicted from.
            head: `moves`, then the tasks' features [R, C, s, s] to logits and deltas.
            shift: whether regression uses a shifted box.
            deform: whether classification uses moved bins.
        """
        super().__init__()
        self.pooling = pooling
        self.moved = MovedBins(pooling)
        self.head = head
        self.shift = shift
        self.deform = deform

    def forward(self, atlas: Atlas, proposals_xyxy: Tensor, picture_hw: Tensor) -> Said:  # noqa: ARG002
        """Logits of proposals [B, P, 4], pixels of the canvas, and deltas of the shifted ones."""
        batch, count = proposals_xyxy.shape[:2]
        shift, bins = self.head.moves(self.pooling(atlas, proposals_xyxy), proposals_xyxy.flatten(0, 1))
        shift, bins = shift.reshape(batch, count, 1, 2), bins.reshape(batch, count, -1, 2)
        shift = shift if self.shift else torch.zeros_like(shift)
        bins = bins if self.deform else torch.zeros_like(bins)
        seen, seen_shifted = self.moved(atlas, proposals_xyxy, bins), self.moved(atlas, proposals_xyxy, shift)
        logits, deltas = self.head(seen, seen_shifted)
        return Said(logits, proposals_xyxy + shift.squeeze(2).repeat(1, 1, 2), deltas)


class Stage(nn.Module):
    """One stage of a cascade."""

    def __init__(self, *, look: OneHead, decoder: Decoder, class_agnostic: bool) -> None:
        """Takes the parts of a detector.

        Args:
            look: the stage's head and its pooling.
            decoder: of its deltas.
            class_agnostic: one refined box per proposal, else one per proposal and class.
        """
        super().__init__()
        self.look = look
        self.decoder = decoder
        self.class_agnostic = class_agnostic

    def refine(self, said: Said, picture_hw: Tensor) -> Tensor:
        """Boxes [B, P, 4] for the next stage; with a class-specific head those of the best class."""
        batch, count = said.starts_xyxy.shape[:2]
        width = self.decoder.width
        deltas = said.deltas.reshape(batch, count, -1, width)  # [B, P, 1 or classes, width]
        if self.class_agnostic:
            chosen = deltas[:, :, 0]
        else:
            best = said.logits[:, : deltas.shape[2]].argmax(1).view(-1, 1)  # [B * P, 1]
            chosen = pick(deltas.flatten(0, 1), best).reshape(batch, count, width)
        return self.decoder(said.starts_xyxy, chosen, picture_hw)


class Cascade(nn.Module):
    """Cascade R-CNN: each stage refines the boxes of the previous one, and the logits are averaged (CVPR 2018)."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, atlas: Atlas, proposals_xyxy: Tensor, picture_hw: Tensor) -> Said:
        """The stages' mean logits, and the last stage's deltas with the boxes that they refine.

        Args:
            atlas: the pyramid.
            proposals_xyxy: [B, P, 4], pixels of the canvas.
            picture_hw: [B, 2], integers, size of the picture on each canvas.
        """
        *earlier, final = cast("list[Stage]", list(self.stages))
        boxes = proposals_xyxy
        votes: list[Tensor] = []
        for stage in earlier:
            said = stage.look(atlas, boxes, picture_hw)
            votes.append(said.logits)
            boxes = stage.refine(said, picture_hw)
        last = final.look(atlas, boxes, picture_hw)
        total = last.logits
        for vote in votes:
            total = total + vote
        return Said(total / len(self.stages), last.starts_xyxy, last.deltas)
