"""A training step with DIR and without."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.optim import build_optim_wrapper

from dirdet.bench.turns import in_turns
from dirdet_training.bench.twins import WITH, Twins, finish

WARM_UP = 2


@dataclass(frozen=True)
class StepTimes:
    """What a measurement of training gave.

    Attributes:
        seconds: of a step, by name, a round each.
        positives: proposals a picture that DIR learned from, a round each.
    """

    seconds: dict[str, list[float]]
    positives: list[float]


def time_steps(both: Twins, rounds: Iterable[int], *, batch_size: int) -> StepTimes:
    """Times forward, backward and update on the same loaded batch, in turns.

    The learning rate is 0: an update costs what it costs, and the detectors stay what their weights made them.

    Raises:
        DataError: the training pictures are not there.
    """
    pictures = both.batches("train", batch_size)
    wrappers = {name: build_optim_wrapper(model.train(), both.cfg.optim_wrapper) for name, model in both.models.items()}
    for wrapper in wrappers.values():
        for group in wrapper.param_groups:
            group["lr"] = 0.0
    batch: dict[str, Any] = {}
    positives: list[float] = []

    def step(name: str) -> None:
        torch.manual_seed(len(positives))  # the samplers draw alike
        both.models[name].train_step(batch, wrappers[name])
        finish()

    head = both.models[WITH].roi_head
    original = head.detector_losses

    def counted(*arguments: Any) -> Any:  # noqa: ANN401
        losses, found = original(*arguments)
        positives.append(sum(len(boxes) for boxes in found.refined_xyxy) / batch_size)
        return losses, found

    def with_new_pictures() -> Iterable[int]:
        for number in rounds:
            batch.update(next(pictures))
            yield number

    head.detector_losses = counted
    try:
        runs = {name: (lambda name=name: step(name)) for name in both.models}
        seconds = in_turns(runs, with_new_pictures(), warm_up=WARM_UP)
    finally:
        del head.detector_losses
    return StepTimes(seconds, positives[WARM_UP:])
