"""Pictures a second of whole trainings in turns, and by how much their losses differ."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from dirdet.bench.report import Goal, Row
from dirdet.bench.turns import in_turns
from dirdet_training.bench.trainings import Training, Way, trainings
from dirdet_training.bench.twins import WITH, WITHOUT, Twins

WARM_UP = 1
STOCK = "MMDetection's runner"
OURS, OURS_WITH_DIR = f"dirdet train, {WITHOUT}", f"dirdet train, {WITH}"
WAYS = (Way(STOCK, stock=True), Way(OURS), Way(OURS_WITH_DIR, with_dir=True))
LEVERS = (
    Way("and keeps freed memory", stock=True, memory=True),
    Way("and pools over threads", stock=True, pooling=True),
)
MIXED = Way(f"{OURS_WITH_DIR}, --amp", with_dir=True, amp=True)
# A loss equals another within this share of it, and this much: what rounding does to it.
SHARE, LEAST = 1e-4, 1e-6


@dataclass(frozen=True)
class TrainingRates:
    """What a comparison of trainings gave.

    Attributes:
        rows: pictures a second, and seconds an iteration with DIR against without.
        differing: by way, the largest share by which a loss differed from the stock training's; a way that differs by
            more than `SHARE` has no row.
    """

    rows: list[Row]
    differing: dict[str, float]


def time_trainings(
    both: Twins, ways: Sequence[Way], rounds: Iterable[int], *, batch_size: int, iterations: int
) -> TrainingRates:
    """Times whole iterations, loading and hooks included.

    Args:
        both: the detector with DIR and without.
        ways: the first is what others are compared with.
        rounds: numbers of the rounds, `WARM_UP` that do not count included.
        batch_size: pictures an iteration.
        iterations: a turn; several, so that what loaders prefetch is made in the turn that uses it up.
    """
    with trainings(both, ways) as running:

        def turn(training: Training) -> None:
            for _ in range(iterations):
                training.iterate()

        seconds = in_turns(
            {name: (lambda training=training: turn(training)) for name, training in running.items()},
            rounds,
            warm_up=WARM_UP,
        )
        stock = running[ways[0].name].losses
        differing = {way.name: difference(running[way.name].losses, stock) for way in ways[1:]}
    pictures = batch_size * iterations
    seconds = {name: taken for name, taken in seconds.items() if differing.get(name, 0) <= SHARE or name == MIXED.name}
    rows = [
        Row(
            name,
            [pictures / each for each in taken],
            unit="/s",
            against=None if name == ways[0].name else ways[0].name,
            goal=Goal(at_least=1.3) if name == OURS else None,
            group="pictures",
        )
        for name, taken in seconds.items()
    ]
    if {OURS, OURS_WITH_DIR} <= seconds.keys():
        rows += [
            Row(WITHOUT, [each / iterations for each in seconds[OURS]], group="an iteration"),
            Row(
                WITH,
                [each / iterations for each in seconds[OURS_WITH_DIR]],
                against=WITHOUT,
                goal=Goal(at_most=1.10),
                group="an iteration",
            ),
        ]
    return TrainingRates(rows, differing)


def difference(losses: Sequence[dict[str, float]], others: Sequence[dict[str, float]]) -> float:
    """The largest share by which a loss differs from another's of the same iteration and name.

    The sum, which DIR's losses are part of, is left out. Infinite where a loss is no number.
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
