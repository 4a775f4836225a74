"""Lets a DIR head that is added to a trained detector begin with the box head's layers, which already know boxes."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

from typing import Any

import torch
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from dirdet_training.head import DIRHead
from dirdet_training.mm.checkpoints import weights_in


def has_dir_head(content: dict[str, Any]) -> bool:
    """Whether a checkpoint, as `read_checkpoint` returns it, has a trained DIR head, which training then continues."""
    return any(name.startswith("roi_head.dir_head.") for name in weights_in(content))


@torch.no_grad()
def begin_as_box_head(roi_head: Any) -> int:  # noqa: ANN401
    """Copies the fully-connected layers that the box head shares between its tasks into both branches, in place.

    Layers are copied while they have the same shape; none if the box head has convolutions before them, or none at all.

    Args:
        roi_head: with a DIR head. Of a cascade, the box head is that of the last stage.

    Returns:
        The number of layers of each branch that were copied.
    """
    box_head = roi_head.bbox_head
    last = box_head[-1] if isinstance(box_head, nn.ModuleList) else box_head
    dir_head = roi_head.dir_head
    if not isinstance(last, ConvFCBBoxHead) or last.num_shared_convs or not isinstance(dir_head, DIRHead):
        return 0
    copied = 0
    branches = (_connected(branch)[:-1] for branch in (dir_head.purity, dir_head.integrity))
    for purity, integrity, shared in zip(*branches, _connected(last.shared_fcs), strict=False):
        if purity.weight.shape != shared.weight.shape:
            break
        for own in (purity, integrity):
            own.load_state_dict(shared.state_dict())
        copied += 1
    return copied


def _connected(layers: nn.Module) -> list[nn.Linear]:
    return [layer for layer in layers.children() if isinstance(layer, nn.Linear)]


@HOOKS.register_module()
class BeginAsBoxHeadHook(Hook):
    """Calls `begin_as_box_head` once the detector's weights are loaded, unless a training is resumed."""

    def before_train(self, runner: Runner) -> None:
        """Copies the layers."""
        model = getattr(runner.model, "module", runner.model)
        if runner.iter == 0:
            begin_as_box_head(model.roi_head)
