"""What each kind of head that judges boxes is trained by and what it says of a box."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from dirdet_training import geometry
from dirdet_training.head import DIRHead, IoUHead
from dirdet_training.losses import dir_losses, iou_loss
from dirdet_training.mm.positives import Positives

MODELS.register_module(module=DIRHead)
MODELS.register_module(module=IoUHead)

# Where features are pooled: on the refined box (hindsight) or on the proposal it came from (foresight).
Sight = Literal["refined", "proposal"]
SIGHTS: tuple[Sight, ...] = ("refined", "proposal")


@dataclass(frozen=True)
class Sights:
    """Where a judge looks while it is trained and while it judges (Table 4)."""

    training: Sight = "refined"
    inference: Sight = "refined"

    def __post_init__(self) -> None:
        """Raises ValueError where one is neither."""
        for name in ("training", "inference"):
            if getattr(self, name) not in SIGHTS:
                raise ValueError(f"sights.{name} must be one of {', '.join(SIGHTS)}, not {getattr(self, name)!r}")


def _dir_losses(logits: tuple[Tensor, Tensor], positives: Positives) -> dict[str, Tensor]:
    return dir_losses(*logits, torch.cat(positives.refined_xyxy), torch.cat(positives.objects_xyxy))._asdict()


def _dir_says(logits: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    purity, integrity = (part.float() for part in logits)
    return {
        "purity": purity.sigmoid(),
        "integrity": integrity.sigmoid(),
        "ious": geometry.combine_logits(purity, integrity).sigmoid(),
    }


def _iou_losses(logits: Tensor, positives: Positives) -> dict[str, Tensor]:
    return {"iou": iou_loss(logits, torch.cat(positives.refined_xyxy), torch.cat(positives.objects_xyxy))}


def _iou_says(logits: Tensor) -> dict[str, Tensor]:
    return {"ious": logits.float().sigmoid()}


@dataclass(frozen=True)
class Kind:
    """How one kind of head is trained and read.

    Attributes:
        losses: from logits of P positives, scalars by name.
        says: from logits of N boxes, fields of a detection by name, [N] each.
    """

    losses: Callable[[Any, Positives], Mapping[str, Tensor]]
    says: Callable[[Any], dict[str, Tensor]]


KINDS: dict[type[nn.Module], Kind] = {
    DIRHead: Kind(_dir_losses, _dir_says),
    IoUHead: Kind(_iou_losses, _iou_says),
}


def kind_of(head: nn.Module) -> Kind:
    """How a head is trained and read.

    Raises:
        TypeError: it is no head that judges boxes.
    """
    for known, kind in KINDS.items():
        if isinstance(head, known):
            return kind
    names = ", ".join(known.__name__ for known in KINDS)
    raise TypeError(f"a judge must be one of {names}, not {type(head).__name__}")
