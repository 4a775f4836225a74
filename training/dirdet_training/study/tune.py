"""Chooses settings on one split, the same for all seeds of a detector, and lists the measurements this needs."""

import math
from collections.abc import Iterator, Sequence
from statistics import mean

from dirdet_training.rivals.tuning import Trial, best_trial
from dirdet_training.study.measurements import Measurer, Run, Split
from dirdet_training.study.paper import TABLES
from dirdet_training.study.row_rankings import WAYS, Way

Job = tuple[Run, Split, Trial]


def ways_of(role: str) -> dict[str, Way]:
    """Returns the ways by which the tables' rows rank a detector's candidates."""
    wanted = dict.fromkeys(row.way for table in TABLES for row in table.rows if row.role == role)
    return {name: WAYS[name] for name in wanted}


def jobs(measurer: Measurer, runs: Sequence[Run]) -> Iterator[Job]:
    """Lists the measurements that are known in advance: first every way untuned, then the trials of tuning."""
    applied = [(run, way) for run in runs for way in ways_of(run.role).values() if measurer.applies(run, way)]
    for run, way in applied:
        yield run, "report", run.untuned(way)
    for run, way in applied:
        for trial in way.trials:
            yield run, "tune", trial


def tuned_jobs(measurer: Measurer, runs: Sequence[Run]) -> Iterator[Job]:
    """Lists the measurements of the settings that tuning chose."""
    for role in dict.fromkeys(run.role for run in runs):
        same = [run for run in runs if run.role == role]
        for way in ways_of(role).values():
            chosen = chosen_trial(measurer, same, way)
            if chosen is not None:
                for run in same:
                    yield run, "report", chosen


def chosen_trial(measurer: Measurer, runs: Sequence[Run], way: Way) -> Trial | None:
    """Returns the trial with the highest AP on the tuning split, averaged over a detector's seeds.

    None if there is no trial, or if not all trials are measured.
    """

    def figure(trial: Trial) -> float:
        found = [measurer.known(run, "tune", trial) for run in runs]
        return mean(math.nan if figures is None else figures["AP"] for figures in found)

    if not runs or not way.trials or any(math.isnan(figure(trial)) for trial in way.trials):
        return None
    return best_trial(way.trials, figure)[0]
