"""Times of every NMS on the same boxes in turns, and which of them answer as what they are compared with."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from dirdet.bench.report import Row
from dirdet.bench.turns import in_turns
from dirdet_training.bench.crowds import Layout, crowd
from dirdet_training.bench.suppressors import NUMPY, Suppressor, differs, expected_of, suppressors
from dirdet_training.bench.twins import finish
from dirdet_training.ranking import Candidates

WARM_UP = 2
# A turn lasts about this long, or one call: what a clock and a cold cache add is then nothing beside it.
TURN_S = 0.002


@dataclass(frozen=True)
class Crowded:
    """What a group of rows is measured on.

    Attributes:
        layout: of the boxes.
        count: of the boxes.
        classes: of the boxes.
        device: where they are.
    """

    layout: Layout
    count: int
    classes: int
    device: torch.device

    def __str__(self) -> str:
        """In words, for tables."""
        where = "" if self.device.type == "cpu" else f", {self.device.type}"
        plural = "class" if self.classes == 1 else "classes"
        return f"{self.count:,} boxes, {self.layout}, {self.classes} {plural}{where}"


def time_suppression(
    on: Crowded,
    rounds: Iterable[int],
    *,
    mmcv_nms: Any | None = None,  # noqa: ANN401 - mmcv says no types
    seed: int = 0,
) -> tuple[list[Row], dict[str, str]]:
    """Seconds of a call of each NMS, in turns.

    Args:
        on: what is suppressed.
        rounds: numbers of the rounds, `WARM_UP` that do not count included.
        mmcv_nms: mmcv's `batched_nms`, if it is there.
        seed: of the boxes.

    Returns:
        A row for each NMS that answered as what it is compared with; and of the others, by name, how they differ.

    Raises:
        ParameterError: no round is left to count.
    """
    candidates = crowd(on.layout, on.count, classes=on.classes, seed=seed, device=on.device)
    named = suppressors(count=on.count, mmcv_nms=mmcv_nms)
    differing: dict[str, str] = {}
    for name, each in named.items():
        if each.against is None:
            continue
        other = named[each.against] if each.same == "scores" or name == NUMPY else expected_of(name, candidates)
        found = differs(each, other, candidates)
        if found is not None:
            differing[name] = found
    counted = {name: each for name, each in named.items() if name not in differing}
    calls = {name: _calls(each, candidates) for name, each in counted.items()}
    runs = {name: _turn(each, candidates, calls[name]) for name, each in counted.items()}
    seconds = in_turns(runs, rounds, warm_up=WARM_UP)
    rows = [
        Row(
            name,
            [taken / calls[name] for taken in seconds[name]],
            against=each.against,
            goal=each.goal,
            group=str(on),
        )
        for name, each in counted.items()
    ]
    return rows, differing


def _turn(suppressor: Suppressor, candidates: Candidates, calls: int) -> Callable[[], None]:
    def turn() -> None:
        for _ in range(calls):
            suppressor.run(candidates)
        finish()

    return turn


def _calls(suppressor: Suppressor, candidates: Candidates) -> int:
    """How many calls make a turn."""
    _turn(suppressor, candidates, 1)()
    began = time.perf_counter()
    _turn(suppressor, candidates, 1)()
    return max(1, min(1000, round(TURN_S / (time.perf_counter() - began))))
