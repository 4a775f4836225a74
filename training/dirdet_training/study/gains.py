"""The baselines of each row's gains, and the gains that need a bootstrap over pictures."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dirdet_training.study.measurements import Gain, Measurer, Run
from dirdet_training.study.paper import TABLES, Row
from dirdet_training.study.row_rankings import WAYS


class Pair(NamedTuple):
    """A run that a row ranks, and the run of the same seed that it is compared with."""

    run: Run
    over: Run


def pairs(measurer: Measurer, runs: Sequence[Run], row: Row) -> list[Pair]:
    """Pairs a row's runs, by seed, with the baseline of the gain: the run itself, or the run of another detector."""
    able = [run for run in runs if run.role == row.role and measurer.applies(run, WAYS[row.way])]
    others = {run.seed: run for run in runs if run.role == row.over}
    if any(run.seed not in others for run in able):
        others = {}
    found = [Pair(run, others.get(run.seed, run)) for run in able]
    return sorted(found, key=lambda pair: pair.run.seed)


def single_gains(measurer: Measurer, runs: Sequence[Run]) -> list[Gain]:
    """Lists the gains of rows with a single seed, from which no spread over seeds can be computed."""
    found = {(gain.run.files["report"], gain.key): gain for gain in _single_gains(measurer, runs)}
    return list(found.values())


def _single_gains(measurer: Measurer, runs: Sequence[Run]) -> Iterator[Gain]:
    """Finds the gains; they may repeat, because a row may be in several tables."""
    for row in (row for table in TABLES for row in table.rows):
        found = pairs(measurer, runs, row)
        if len(found) == 1:
            run, over = found[0]
            gain = Gain(run, run.untuned(WAYS[row.way]), over, over.untuned(WAYS["score"]))
            if not gain.trivial:
                yield gain
