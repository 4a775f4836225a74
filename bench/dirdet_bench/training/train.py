"""A training step with DIR against the same detector's without."""

from functools import partial
from statistics import mean
from typing import Any

import click
import torch
from mmengine.optim import build_optim_wrapper

from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.report import Goal, rows_against
from dirdet_bench.harness.turns import seconds_in_turns
from dirdet_bench.training.against_runner import compare_with_runner
from dirdet_bench.training.detector_pair import (
    PACKAGES,
    WITH,
    WITHOUT,
    DetectorPair,
    PairFlags,
    pair_from,
    pair_options,
    synchronize,
)

WARM_UP = 2
GOAL = Goal(at_most=1.10)


@measurement("train", packages=PACKAGES, rounds=20)
@click.argument("config")
@pair_options
@click.option("--batch-size", type=click.IntRange(min=1), help="Pictures a step [the config's].")
@click.option(
    "--against", type=click.Choice(["without-dir", "stock"]), default="without-dir", show_default=True,
    help="The same detector without DIR, or the same trained by MMDetection's own runner.",
)  # fmt: skip
@click.option("--iterations", type=click.IntRange(min=1), default=2, show_default=True, help="A turn, against stock.")
@click.option("--levers", is_flag=True, help="Against stock: also each of dirdet's changes alone.")
def command(
    config: str,
    *,
    which: PairFlags,
    rounds: int,
    batch_size: int | None,
    against: str,
    iterations: int,
    levers: bool,
) -> Result:
    """Time training steps of CONFIG, a detector with DIR, and of the same without.

    Each round both take a step on the same pictures in memory. Against stock, whole trainings take turns, each in a
    process of its own: loading, augmentation, step and hooks. They start from the same weights on the same pictures in
    the same order, and one whose losses differ by more than 0.01% is not counted. Goal: 1.3 times the pictures a second
    of MMDetection's runner.
    """
    pair = pair_from(config, which)
    size = batch_size or int(pair.cfg.train_dataloader.batch_size)
    if against == "stock":
        rows, facts = compare_with_runner(pair, rounds, batch_size=size, iterations=iterations, levers=levers)
        return Result(f"Training {config}, {size} pictures an iteration", rows, facts)
    seconds, positives = time_steps(pair, rounds, batch_size=size)
    facts = {"positives a picture": round(mean(positives), 1), "threads": torch.get_num_threads()}
    rows = rows_against(seconds, WITHOUT, {WITH: GOAL})
    return Result(f"A training step of {config}, {size} pictures", rows, facts)


def time_steps(pair: DetectorPair, rounds: int, *, batch_size: int) -> tuple[dict[str, list[float]], list[float]]:
    """Times forward, backward and update on the same loaded batch, in turns.

    The learning rate is 0: an update takes its time, and the weights stay what they were.

    Returns:
        Seconds of a step by detector, and proposals a picture that DIR learned from, one value a round each.

    Raises:
        DataError: the training pictures are not there.
    """
    pictures = pair.batches(batch_size)
    optimizer = pair.cfg.optim_wrapper
    wrappers = {name: build_optim_wrapper(model.train(), optimizer) for name, model in pair.models.items()}
    for wrapper in wrappers.values():
        for group in wrapper.param_groups:
            group["lr"] = 0.0
    batch: dict[str, Any] = {}
    positives: list[float] = []

    def step(name: str) -> None:
        torch.manual_seed(len(positives))  # so that the samplers of both draw the same
        pair.models[name].train_step(batch, wrappers[name])
        synchronize()

    head = pair.models[WITH].roi_head
    original = head.detector_losses

    def counted(*arguments: Any) -> Any:  # noqa: ANN401
        losses, found = original(*arguments)
        positives.append(sum(len(boxes) for boxes in found.positives.refined_xyxy) / batch_size)
        return losses, found

    head.detector_losses = counted
    try:
        seconds = seconds_in_turns(
            {name: partial(step, name) for name in pair.models},
            rounds,
            warm_up=WARM_UP,
            label="train",
            before=lambda _: batch.update(next(pictures)),
        )
    finally:
        del head.detector_losses
    return seconds, positives[WARM_UP:]
