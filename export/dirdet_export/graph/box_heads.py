"""What each architecture's box heads say of proposals."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.fused import Pooling
from dirdet_export.graph.moved_bins import MovedBins
from dirdet_export.graph.pyramid import Atlas, PyramidPooling
from dirdet_export.graph.ragged import pick


class Said(NamedTuple):
    """What box heads say of P proposals a picture.

    Attributes:
        logits: [B * P, classes + 1], the last the background's.
        starts_xyxy: [B, P, 4], the boxes that the deltas refine, pixels of the canvas.
        deltas: [B * P, 4] or, class-specific, [B * P, 4 * classes].
    """

    logits: Tensor
    starts_xyxy: Tensor
    deltas: Tensor


class OneHead(nn.Module):
    """Faster R-CNN's: one look, one head."""

    def __init__(self, *, pooling: Pooling, head: nn.Module) -> None:
        """Keeps a detector's own head.

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
    """Double-Head's: the convolutional head that regresses looks at enlarged boxes (CVPR 2020, section 4)."""

    def __init__(self, *, pooling: PyramidPooling, head: nn.Module, enlarge: float) -> None:
        """Keeps a detector's own head.

        Args:
            pooling: of the proposals' features.
            head: the classifier's features and the regressor's [R, C, s, s] to logits and deltas.
            enlarge: factor of the sides of what the regressor sees.
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
    """TSD's: one task looks at a shifted box, the other at moved bins, and both begin where they look."""

    def __init__(self, *, pooling: PyramidPooling, head: nn.Module, shift: bool, deform: bool) -> None:
        """Keeps a detector's own head.

        Args:
            pooling: of the features that tell where to look.
            head: a TSDBBoxHead: `moves`, then the tasks' features [R, C, s, s] to logits and deltas.
            shift: localisation looks at a shifted box.
            deform: classification looks at moved bins.
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
        head = cast(Any, self.head)
        shift, bins = head.moves(self.pooling(atlas, proposals_xyxy), proposals_xyxy.flatten(0, 1))
        shift, bins = shift.reshape(batch, count, 1, 2), bins.reshape(batch, count, -1, 2)
        shift = shift if self.shift else torch.zeros_like(shift)
        bins = bins if self.deform else torch.zeros_like(bins)
        seen, seen_shifted = self.moved(atlas, proposals_xyxy, bins), self.moved(atlas, proposals_xyxy, shift)
        logits, deltas = self.head(seen, seen_shifted)
        return Said(logits, proposals_xyxy + shift.squeeze(2).repeat(1, 1, 2), deltas)


class Stage(nn.Module):
    """One of a cascade's stages."""

    def __init__(self, *, look: OneHead, decoder: BoxDecoder, class_agnostic: bool) -> None:
        """Keeps a detector's own head with what surrounds it.

        Args:
            look: the stage's head and its pooling.
            decoder: of its deltas.
            class_agnostic: one refined box for each proposal, else one for each proposal and class.
        """
        super().__init__()
        self.look = look
        self.decoder = decoder
        self.class_agnostic = class_agnostic

    def refine(self, said: Said, picture_hw: Tensor) -> Tensor:
        """Boxes [B, P, 4] for the next stage; of a class-specific head that of the best class."""
        batch, count = said.starts_xyxy.shape[:2]
        deltas = said.deltas.reshape(batch, count, -1, 4)  # [B, P, 1 or classes, 4]
        if self.class_agnostic:
            chosen = deltas[:, :, 0]
        else:
            best = said.logits[:, :-1].argmax(1).view(-1, 1)  # [B * P, 1]
            chosen = pick(deltas.flatten(0, 1), best).reshape(batch, count, 4)
        return self.decoder(said.starts_xyxy, chosen, picture_hw)


class Cascade(nn.Module):
    """Cascade R-CNN's: each stage refines the boxes of the one before, and all vote on the class (CVPR 2018)."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """Keeps the stages in their order."""
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, atlas: Atlas, proposals_xyxy: Tensor, picture_hw: Tensor) -> Said:
        """The stages' mean logits, and the last one's deltas from the boxes that it saw.

        Args:
            atlas: the pyramid.
            proposals_xyxy: [B, P, 4], pixels of the canvas.
            picture_hw: [B, 2], integers, the part of each canvas that is picture.
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
