"""Detection with DIR and without."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from dirdet.bench.turns import in_turns
from dirdet_training.bench.twins import WITH, Twins, finish

WARM_UP = 2


@dataclass(frozen=True)
class DetectionTimes:
    """What a measurement of detection gave.

    Attributes:
        seconds: of a picture, by name, a round each.
        candidates: boxes a picture that DIR judged, a round each.
    """

    seconds: dict[str, list[float]]
    candidates: list[float]


def time_detection(both: Twins, rounds: Iterable[int]) -> DetectionTimes:
    """Times one picture in memory to its detections, in turns.

    Raises:
        DataError: the test pictures are not there.
    """
    pictures = both.batches("test", 1)
    for model in both.models.values():
        model.eval()
    batch: dict[str, Any] = {}
    candidates: list[float] = []
    head = both.models[WITH].roi_head.dir_head
    hook = head.register_forward_pre_hook(lambda _, inputs: candidates.append(len(inputs[0])))

    @torch.inference_mode()
    def detect(name: str) -> None:
        # Detections are written into the batch's samples.
        both.models[name].test_step(copy.copy(batch))
        finish()

    def with_new_pictures() -> Iterable[int]:
        for number in rounds:
            batch.update(next(pictures))
            yield number

    try:
        runs = {name: (lambda name=name: detect(name)) for name in both.models}
        seconds = in_turns(runs, with_new_pictures(), warm_up=WARM_UP)
    finally:
        hook.remove()
    return DetectionTimes(seconds, candidates[WARM_UP:])
