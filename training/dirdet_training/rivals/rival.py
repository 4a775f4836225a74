"""A way of NMS and all that evaluating, training, tuning and studying it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from dirdet_training.nms.suppression import Suppression
from dirdet_training.rivals.tuning import Trial

if TYPE_CHECKING:
    from dirdet_training.mm.examples import Examples


@dataclass(frozen=True)
class Judge:
    """How one kind of head that judges boxes is trained and read.

    Attributes:
        head: the kind, which configs name.
        losses: from logits of P examples, scalars by name.
        says: from logits of N boxes and their classes [N], fields of a detection by name, [N] each.
    """

    head: type[nn.Module]
    losses: "Callable[[Any, Examples], Mapping[str, Tensor]]"
    says: Callable[[Any, Tensor], dict[str, Tensor]]


@dataclass(frozen=True)
class Rival:
    """One entry of `dirdet_training.rivals.RIVALS`.

    Attributes:
        name: of `dirdet evaluate --rank` and of the study's rows.
        suppression: the NMS with the settings of its paper.
        trials: what tuning may choose from; the untuned setting at 0.5 is among them.
        judge: the head that it needs; None where it ranks by what DIR or the classifier says.
        column: of `Candidates.learnt`, what it ranks by.
        judgement: `NAME/SIGHT/FIELD` of a study's judges, what the column is read from there; its correlation with
            the true IoU belongs to this rival.
        needs: a judgement without which this is another rival, whose name `dirdet evaluate` knows instead.
        title: of its row in Table 6; empty for none.
        paper: its figures there, in percent.
        note: what a reader of the row must know.
    """

    name: str
    suppression: Suppression
    trials: tuple[Trial, ...]
    judge: Judge | None = None
    column: str | None = None
    judgement: str | None = None
    needs: str | None = None
    title: str = ""
    paper: Mapping[str, float] = field(default_factory=dict[str, float])
    note: str = ""
