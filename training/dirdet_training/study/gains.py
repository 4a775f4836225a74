"""What each row's gains are over, and the gains that need a bootstrap over pictures."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dirdet_training.study.measurer import Gain, Measurer, Run
from dirdet_training.study.paper import TABLES, Row
from dirdet_training.study.ways import WAYS


class Pair(NamedTuple):
    """A run that a row ranks, and the one of its seed that it is compared with."""

    run: Run
    over: Run


def pairs(measurer: Measurer, runs: Sequence[Run], row: Row) -> list[Pair]:
    """A row's runs by seed, each with what its gain is over: itself, or the run of another detector."""
    able = [run for run in runs if run.role == row.role and measurer.applies(run, WAYS[row.way])]
    others = {run.seed: run for run in runs if run.role == row.over}
    if any(run.seed not in others for run in able):
        others = {}
    found = [Pair(run, others.get(run.seed, run)) for run in able]
    return sorted(found, key=lambda pair: pair.run.seed)


def single_gains(measurer: Measurer, runs: Sequence[Run]) -> list[Gain]:
    """The gains of rows with one seed, which tells nothing of their spread."""
    found = {(gain.run.files["report"], gain.key): gain for gain in _single_gains(measurer, runs)}
    return list(found.values())


def _single_gains(measurer: Measurer, runs: Sequence[Run]) -> Iterator[Gain]:
    """A row stands in more than one table."""
    for row in (row for table in TABLES for row in table.rows):
        found = pairs(measurer, runs, row)
        if len(found) == 1:
            run, over = found[0]
            gain = Gain(run, run.untuned(WAYS[row.way]), over, over.untuned(WAYS["score"]))
            if not gain.trivial:
                yield gain
