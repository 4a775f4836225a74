"""TSD's box head: classification and localisation use separate features (CVPR 2020, section 3)."""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from typing import Any

import torch
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.registry import MODELS
from torch import Tensor, nn


def _two_layers(in_features: int, width: int) -> nn.Sequential:
    layers = nn.Sequential(nn.Linear(in_features, width), nn.ReLU(inplace=True), nn.Linear(width, width), nn.ReLU())
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return layers


@MODELS.register_module()
class TSDBBoxHead(BBoxHead):
    """Predicts where each task's features are pooled, and the task's output from these features."""

    def __init__(
        self,
        *,
        in_channels: int,
        roi_feat_size: int = 7,
        fc_out_channels: int = 1024,
        offset_channels: int = 256,
        offset_scale: float = 0.1,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        """Builds two towers of two fully-connected layers, and the layers that predict the moves.

        Args:
            in_channels: channels of the RoI features.
            roi_feat_size: side of the pooled square.
            fc_out_channels: width of the towers.
            offset_channels: width of the layers that predict the moves.
            offset_scale: the move for a prediction of 1, in sides of the proposal.
            **settings: BBoxHead's settings.
        """
        super().__init__(in_channels=in_channels, roi_feat_size=roi_feat_size, **settings)
        inputs = in_channels * self.roi_feat_area
        self.offset_scale = offset_scale
        self.cls_tower, self.reg_tower = _two_layers(inputs, fc_out_channels), _two_layers(inputs, fc_out_channels)
        self.fc_cls = nn.Linear(fc_out_channels, self.fc_cls.out_features)
        self.fc_reg = nn.Linear(fc_out_channels, self.fc_reg.out_features)
        self.offset_shared = nn.Sequential(nn.Linear(inputs, offset_channels), nn.ReLU(inplace=True))
        self.shift = self._moves(offset_channels, 2)
        self.deform = self._moves(offset_channels, 2 * self.roi_feat_area)

    @staticmethod
    def _moves(width: int, outputs: int) -> nn.Sequential:
        last = nn.Linear(width, outputs)
        # At the start of training, both tasks use the features of the proposal itself.
        nn.init.normal_(last.weight, std=0.001)
        nn.init.zeros_(last.bias)
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), last)

    def moves(self, roi_features: Tensor, boxes_xyxy: Tensor) -> tuple[Tensor, Tensor]:
        """Predicts the moves of localisation and classification (Eq. 2 to 5 of TSD).

        Args:
            roi_features: [N, C, roi_feat_size, roi_feat_size], pooled on the proposals.
            boxes_xyxy: [N, 4], the proposals, pixels of the canvas.

        Returns:
            The shift of each whole box [N, 2] and the move of each bin [N, roi_feat_size, roi_feat_size, 2], both x, y
            in pixels of the canvas.
        """
        shared = self.offset_shared(torch.flatten(roi_features, 1))
        sides_wh = self.offset_scale * (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])  # [N, 2]
        shift = self.shift(shared) * sides_wh
        bins = self.deform(shared).view(-1, *self.roi_feat_size, 2)
        return shift, bins * sides_wh[:, None, None]

    def forward(self, cls_features: Tensor, reg_features: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride] - each task has its own features
        """Computes class logits [N, classes + 1] and box deltas [N, 4 or 4 * classes] from the two tasks' features."""
        cls_score = self.fc_cls(self.cls_tower(torch.flatten(cls_features, 1)))
        return cls_score, self.fc_reg(self.reg_tower(torch.flatten(reg_features, 1)))
