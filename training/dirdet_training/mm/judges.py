"""Heads that judge boxes: builds them from a config and computes their losses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmdet.registry import MODELS
from torch import Tensor, nn

from dirdet_training.mm.examples import Examples
from dirdet_training.rivals import JUDGES
from dirdet_training.rivals.rival import Judge

# The box on which features are pooled: the refined box (hindsight), its proposal (foresight), or, only in training, a
# box drawn around the object (IoU-Net).
Sight = Literal["refined", "proposal", "jittered"]
SIGHTS: tuple[Sight, ...] = ("refined", "proposal")


@dataclass(frozen=True)
class Sights:
    """The boxes on which a judge's features are pooled in training and in inference (Table 4)."""

    training: Sight = "refined"
    inference: Sight = "refined"

    def __post_init__(self) -> None:
        """Raises ValueError if a sight is unknown."""
        for name, allowed in (("training", (*SIGHTS, "jittered")), ("inference", SIGHTS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"sights.{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")


# The field of examples that holds the boxes of each sight.
SEEN: dict[Sight, str] = {"refined": "refined_xyxy", "proposal": "proposals_xyxy", "jittered": "jittered_xyxy"}


KINDS = {each.head: each for each in JUDGES}
for _head in KINDS:
    MODELS.register_module(module=_head)


def kind_of(head: nn.Module) -> Judge:
    """Returns how a head is trained and how its output is read.

    Raises:
        TypeError: the head does not judge boxes.
    """
    for known, kind in KINDS.items():
        if isinstance(head, known):
            return kind
    names = ", ".join(known.__name__ for known in KINDS)
    raise TypeError(f"a judge must be one of {names}, not {type(head).__name__}")


def build_judges(
    dir_head: dict[str, Any], sights: dict[str, Sight] | None, judges: dict[str, dict[str, Any]] | None
) -> tuple[nn.Module, nn.ModuleDict, dict[str, Sights]]:
    """Builds the head that ranks, the further judges by name, and the sights of each ("dir" is the head that ranks).

    Args:
        dir_head: config of the head that ranks.
        sights: its sights; refined boxes by default.
        judges: configs of further heads by name, each with optional `sights` of its own.

    Raises:
        ValueError: a sight is unknown.
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
    examples: Examples,
) -> dict[str, Tensor]:
    """Computes loss_FIELD of the head that ranks ("dir") and NAME.loss_FIELD of every further judge.

    Args:
        judges: heads by name.
        sights: the sights of each.
        features: [P, C, roi_size, roi_size] of the examples at every sight that a judge is trained on; only the head
            that ranks sends gradients back into them.
        examples: P boxes in total.
    """
    losses: dict[str, Tensor] = {}
    for name, head in judges.items():
        seen = features[sights[name].training]
        logits = head(seen if name == "dir" else seen.detach())
        prefix = "" if name == "dir" else f"{name}."
        for field, value in kind_of(head).losses(logits, examples).items():
            losses[f"{prefix}loss_{field}"] = value
    return losses
