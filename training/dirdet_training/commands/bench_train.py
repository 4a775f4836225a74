"""A training step with DIR against the same detector's without."""

from pathlib import Path
from statistics import mean
from typing import Any

import click

from dirdet.bench.report import Goal
from dirdet.bench.telling import shown
from dirdet_training.bench.steps import WARM_UP, time_steps
from dirdet_training.commands._bench import bench_options, report, set_up


@click.command("train")
@bench_options
@click.option("--batch-size", type=click.IntRange(min=1), help="Pictures a step [the config's].")
def command(config: str, rounds: int, out: Path | None, batch_size: int | None, **settings: Any) -> None:  # noqa: ANN401
    """Time training steps of CONFIG, a detector with DIR, and of the same without.

    Each round both take a step on the same pictures, which are loaded before.
    """
    both = set_up(config, **settings)
    size = batch_size or int(both.cfg.train_dataloader.batch_size)
    found = time_steps(both, shown(rounds + WARM_UP, "train"), batch_size=size)
    report(
        found.seconds,
        what=f"A training step of {config}, {size} pictures",
        goal=Goal(at_most=1.10),
        facts={"positives a picture": round(mean(found.positives), 1)},
        out=out,
    )
