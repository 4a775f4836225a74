"""Guided Anchoring: anchors whose places and shapes the network predicts (CVPR 2019)."""

from typing import Any

import torch
from torch import Tensor

from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.proposals import Proposals


class GuidedProposals(Proposals):
    """Proposals of predicted anchors: after its four deltas, each place has the shape of its anchor.

    The objectness of places without an anchor is so low that its probability is 0 (`guided_head.NOWHERE`).
    """

    width = 6

    def __init__(self, *, anchor_decoder: BoxDecoder, **settings: Any) -> None:  # noqa: ANN401
        """Takes the RPN's settings.

        Args:
            anchor_decoder: of the anchors' shapes; their bases are the base anchors.
            **settings: as of `Proposals`.
        """
        super().__init__(**settings)
        self.anchor_decoder = anchor_decoder

    def decoded(self, anchors_xyxy: Tensor, values: Tensor, picture_hw: Tensor) -> Tensor:
        """Boxes [B, S, 4] of base anchors [B, S, 4], pixels of the canvas, and their predicted values [B, S, 6]."""
        deltas, shapes = values[..., :4], values[..., 4:]
        guided = self.anchor_decoder(anchors_xyxy, torch.cat([torch.zeros_like(shapes), shapes], dim=-1), picture_hw)
        return self.decoder(guided, deltas, picture_hw)

    def anchored(self, scores: Tensor) -> Tensor:
        """Whether there is an anchor for each score: [B, S], boolean."""
        return scores > 0
