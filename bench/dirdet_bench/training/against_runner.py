"""Pictures a second of dirdet's training and of MMDetection's runner in turns, and by how much their losses differ."""

from collections.abc import Sequence
from functools import partial
from math import inf, isfinite

import torch

from dirdet_bench.harness.report import Goal, Row, rows_against
from dirdet_bench.harness.turns import seconds_in_turns
from dirdet_bench.training.detector_pair import WITH, WITHOUT, DetectorPair
from dirdet_bench.training.training_processes import Training, Way, trainings

STOCK = "MMDetection's runner"
OURS, OURS_WITH_DIR = f"dirdet train, {WITHOUT}", f"dirdet train, {WITH}"
WAYS = (Way(STOCK, stock=True), Way(OURS), Way(OURS_WITH_DIR, with_dir=True))
LEVERS = (
    Way("and keeps freed memory", stock=True, memory=True),
    Way("and pools over threads", stock=True, pooling=True),
)
RATE_GOAL, DIR_GOAL = Goal(at_least=1.3), Goal(at_most=1.10)
# Rounding changes a loss by less than this share of it, or by less than this.
SHARE, LEAST = 1e-4, 1e-6


def compare_with_runner(
    pair: DetectorPair, rounds: int, *, batch_size: int, iterations: int, levers: bool
) -> tuple[list[Row], dict[str, object]]:
    """Times whole iterations, loading and hooks included.

    With several `iterations` a turn, loaders use up in a turn what they prefetch in it.

    Returns:
        Rows of pictures a second, and of seconds an iteration with DIR against without; and facts: how losses differ. A
        way to train whose losses differ from the runner's by more than `SHARE` has no row.
    """
    pair.cfg.train_dataloader.batch_size = batch_size
    with trainings(pair, (*WAYS, *(LEVERS if levers else ()))) as running:

        def turn(training: Training) -> None:
            for _ in range(iterations):
                training.iterate()

        runs = {name: partial(turn, training) for name, training in running.items()}
        seconds = seconds_in_turns(runs, rounds, label="train")
        differing = {
            name: difference(training.losses, running[STOCK].losses)
            for name, training in running.items()
            if name != STOCK
        }
    counted = {name: taken for name, taken in seconds.items() if differing.get(name, 0.0) <= SHARE}
    rates = {name: [batch_size * iterations / each for each in taken] for name, taken in counted.items()}
    rows = rows_against(rates, STOCK, {OURS: RATE_GOAL}, unit="/s", group="pictures")
    if {OURS, OURS_WITH_DIR} <= counted.keys():
        each = {
            name: [turn_s / iterations for turn_s in counted[way]]
            for name, way in ((WITHOUT, OURS), (WITH, OURS_WITH_DIR))
        }
        rows += rows_against(each, WITHOUT, {WITH: DIR_GOAL}, group="an iteration")
    facts: dict[str, object] = {
        f"losses differ at most by: {name}": f"{share:.2g} of {STOCK}'s" for name, share in differing.items()
    }
    facts |= {f"not counted: {name}": "losses differ" for name, share in differing.items() if share > SHARE}
    return rows, facts | {"threads": torch.get_num_threads()}


def difference(losses: Sequence[dict[str, float]], others: Sequence[dict[str, float]]) -> float:
    """The largest share by which a loss differs from another's of the same iteration and name.

    The sum, which DIR's losses are part of, is left out. Infinite where a loss is not finite.
    """
    return max(
        (
            _share(one[name], other[name])
            for one, other in zip(losses, others, strict=True)
            for name in (one.keys() & other.keys()) - {"loss"}
        ),
        default=0.0,
    )


def _share(value: float, other: float) -> float:
    if not (isfinite(value) and isfinite(other)):
        return inf
    return max(0.0, abs(value - other) - LEAST) / max(abs(other), LEAST)
