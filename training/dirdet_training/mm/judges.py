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
from dirdet_training.rivals.fitness import FitnessHead, expected_fitness, fitness_loss
from dirdet_training.rivals.iou_net import IoUNetHead, iou_net_loss, predicted_ious
from dirdet_training.rivals.rank import RankHead, rank_loss

# Where features are pooled: on the refined box (hindsight), on the proposal it came from (foresight), or, in training
# alone, on a box drawn around the object (IoU-Net).
Sight = Literal["refined", "proposal", "jittered"]
SIGHTS: tuple[Sight, ...] = ("refined", "proposal")


@dataclass(frozen=True)
class Sights:
    """Where a judge looks while it is trained and while it judges (Table 4)."""

    training: Sight = "refined"
    inference: Sight = "refined"

    def __post_init__(self) -> None:
        """Raises ValueError where one is none of these."""
        for name, allowed in (("training", (*SIGHTS, "jittered")), ("inference", SIGHTS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"sights.{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")


# Which boxes of positives each sight looks at.
SEEN: dict[Sight, str] = {"refined": "refined_xyxy", "proposal": "proposals_xyxy", "jittered": "jittered_xyxy"}


def _dir_losses(logits: tuple[Tensor, Tensor], positives: Positives) -> dict[str, Tensor]:
    return dir_losses(*logits, torch.cat(positives.refined_xyxy), torch.cat(positives.objects_xyxy))._asdict()


def _dir_says(logits: tuple[Tensor, Tensor], _class_ids: Tensor) -> dict[str, Tensor]:
    purity, integrity = (part.float() for part in logits)
    return {
        "purity": purity.sigmoid(),
        "integrity": integrity.sigmoid(),
        "ious": geometry.combine_logits(purity, integrity).sigmoid(),
    }


def _iou_losses(logits: Tensor, positives: Positives) -> dict[str, Tensor]:
    return {"iou": iou_loss(logits, torch.cat(positives.refined_xyxy), torch.cat(positives.objects_xyxy))}


def _iou_says(logits: Tensor, _class_ids: Tensor) -> dict[str, Tensor]:
    return {"ious": logits.float().sigmoid()}


def _iou_net_losses(normalised: Tensor, positives: Positives) -> dict[str, Tensor]:
    boxes, objects = torch.cat(positives.jittered_xyxy), torch.cat(positives.objects_xyxy)
    return {"iou": iou_net_loss(normalised, torch.cat(positives.class_ids), boxes, objects)}


def _iou_net_says(normalised: Tensor, class_ids: Tensor) -> dict[str, Tensor]:
    return {"ious": predicted_ious(normalised, class_ids)}


def _rank_losses(logits: Tensor, positives: Positives) -> dict[str, Tensor]:
    return {"rank": rank_loss(logits, positives.ious, torch.cat(positives.object_ids))}


def _rank_says(logits: Tensor, _class_ids: Tensor) -> dict[str, Tensor]:
    return {"rank_scores": logits.float().sigmoid()}


def _fitness_losses(logits: Tensor, positives: Positives) -> dict[str, Tensor]:
    return {"fitness": fitness_loss(logits, positives.ious)}


def _fitness_says(logits: Tensor, _class_ids: Tensor) -> dict[str, Tensor]:
    return {"fitness": expected_fitness(logits)}


@dataclass(frozen=True)
class Kind:
    """How one kind of head is trained and read.

    Attributes:
        losses: from logits of P positives, scalars by name.
        says: from logits of N boxes and their classes [N], fields of a detection by name, [N] each.
    """

    losses: Callable[[Any, Positives], Mapping[str, Tensor]]
    says: Callable[[Any, Tensor], dict[str, Tensor]]


KINDS: dict[type[nn.Module], Kind] = {
    DIRHead: Kind(_dir_losses, _dir_says),
    IoUHead: Kind(_iou_losses, _iou_says),
    IoUNetHead: Kind(_iou_net_losses, _iou_net_says),
    RankHead: Kind(_rank_losses, _rank_says),
    FitnessHead: Kind(_fitness_losses, _fitness_says),
}
for _head in KINDS:
    MODELS.register_module(module=_head)


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
    features: Mapping[str, Tensor],
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
