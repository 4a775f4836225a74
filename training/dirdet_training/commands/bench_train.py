"""A training step with DIR against the same detector's without."""

from pathlib import Path
from statistics import mean
from typing import Any

import click
import torch

from dirdet.bench.bars import plot as draw
from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report
from dirdet.bench.telling import command_line, shown, tell
from dirdet_training.bench.steps import WARM_UP, time_steps
from dirdet_training.bench.training_rates import LEVERS, MIXED, SHARE, STOCK, WAYS, TrainingRates, time_trainings
from dirdet_training.bench.training_rates import WARM_UP as WARM_UP_ROUNDS
from dirdet_training.commands._bench import PACKAGES, bench_options, report, set_up


@click.command("train")
@bench_options
@click.option("--batch-size", type=click.IntRange(min=1), help="Pictures a step [the config's].")
@click.option(
    "--against", type=click.Choice(["without-dir", "stock"]), default="without-dir", show_default=True,
    help="The same detector without DIR, or the same trained by MMDetection's own runner.",
)  # fmt: skip
@click.option("--iterations", type=click.IntRange(min=1), default=2, show_default=True, help="A turn, against stock.")
@click.option("--levers", is_flag=True, help="Against stock: also each of dirdet's changes alone.")
@click.option("--amp", is_flag=True, help="Against stock: also with mixed precision.")
@click.option("--plot", type=click.Path(path_type=Path), help="Against stock: also draw rates into this SVG or PNG.")
def command(
    config: str,
    *,
    rounds: int,
    out: Path | None,
    batch_size: int | None,
    against: str,
    iterations: int,
    levers: bool,
    amp: bool,
    plot: Path | None,
    **settings: Any,  # noqa: ANN401
) -> None:
    """Time training steps of CONFIG, a detector with DIR, and of the same without.

    Each round both take a step on the same pictures, which are loaded before. Against stock, whole trainings take
    turns, each in a process of its own: loading, augmentation, step and hooks. They start from the same
    weights on the same pictures in the same order, and one whose losses differ by more than 0.01%
    is told and not counted. Goal: 1.3 times the pictures a second of MMDetection's runner.
    """
    both = set_up(config, **settings)
    size = batch_size or int(both.cfg.train_dataloader.batch_size)
    if against == "stock":
        both.cfg.train_dataloader.batch_size = size
        ways = [*WAYS, *(LEVERS if levers else ()), *((MIXED,) if amp else ())]
        rates = time_trainings(
            both, ways, shown(rounds + WARM_UP_ROUNDS, "train"), batch_size=size, iterations=iterations
        )
        tell_rates(rates, f"Training {config}, {size} pictures an iteration", out, plot)
        return
    found = time_steps(both, shown(rounds + WARM_UP, "train"), batch_size=size)
    report(
        found.seconds,
        what=f"A training step of {config}, {size} pictures",
        goal=Goal(at_most=1.10),
        facts={"positives a picture": round(mean(found.positives), 1)},
        out=out,
    )


def tell_rates(rates: TrainingRates, what: str, out: Path | None, plot: Path | None) -> None:
    """Prints a comparison of trainings."""
    facts: dict[str, object] = {
        f"losses differ at most by: {name}": f"{share:.2g} of {STOCK}'s" for name, share in rates.differing.items()
    }
    facts |= {f"not counted: {name}": "losses differ" for name, share in rates.differing.items() if share > SHARE}
    facts["threads"] = torch.get_num_threads()
    told = Report(what, command_line(), machine(PACKAGES), rates.rows, facts)
    tell(told, out)
    if plot is not None:
        draw(told.content(), plot)
