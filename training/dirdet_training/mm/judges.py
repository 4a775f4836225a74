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


def build_judges(
    dir_head: dict[str, Any], sights: dict[str, Sight] | None, judges: dict[str, dict[str, Any]] | None
) -> tuple[nn.Module, nn.ModuleDict, dict[str, Sights]]:
    """The head that ranks, the further judges by name, and where each looks ("dir" is the head that ranks).

    Args:
        dir_head: config of the head that ranks.
        sights: where it looks; on refined boxes unless told.
        judges: configs of further heads by name, each with optional `sights` of its own.

    Raises:
        ValueError: a sight is neither refined nor proposal.
    """
    looks = {"dir": Sights(**(sights or {}))}
    others = nn.ModuleDict()
    for name, config in (judges or {}).items():
        head = dict(config)
        looks[name] = Sights(**head.pop("sights", {}))
        others[name] = MODELS.build(head)
    return MODELS.build(dir_head), others, looks


def judge_losses(
    judges: Mapping[str, nn.Module],
    sights: Mapping[str, Sights],
    features: Mapping[Sight, Tensor],
    positives: Positives,
) -> dict[str, Tensor]:
    """loss_FIELD of the head that ranks ("dir") and NAME.loss_FIELD of every further judge.

    Args:
        judges: heads by name.
        sights: where each looks.
        features: [P, C, roi_size, roi_size] of the positives at every sight that a judge is trained on; only the
            head that ranks sends a gradient back into them.
        positives: P in all.
    """
    losses: dict[str, Tensor] = {}
    for name, head in judges.items():
        seen = features[sights[name].training]
        logits = head(seen if name == "dir" else seen.detach())
        prefix = "" if name == "dir" else f"{name}."
        for field, value in kind_of(head).losses(logits, positives).items():
            losses[f"{prefix}loss_{field}"] = value
    return losses
