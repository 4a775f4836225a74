"""Settings chosen on one split, the same for all seeds of a detector, and the jobs that choosing takes."""

import math
from collections.abc import Iterator, Sequence
from statistics import mean

from dirdet_training.study.measurer import Measurer, Run, Split
from dirdet_training.study.paper import TABLES
from dirdet_training.study.ways import WAYS, Way
from dirdet_training.tuning import Trial, best_trial

Job = tuple[Run, Split, Trial]


def ways_of(role: str) -> dict[str, Way]:
    """The ways that some row ranks a detector's candidates by."""
    wanted = dict.fromkeys(row.way for table in TABLES for row in table.rows if row.role == role)
    return {name: WAYS[name] for name in wanted}


def jobs(measurer: Measurer, runs: Sequence[Run]) -> Iterator[Job]:
    """All measurements that can be told in advance: first every way untuned, then what tuning tries."""
    applied = [(run, way) for run in runs for way in ways_of(run.role).values() if measurer.applies(run, way)]
    for run, way in applied:
        yield run, "report", run.untuned(way)
    for run, way in applied:
        for trial in way.trials:
            yield run, "tune", trial


def tuned_jobs(measurer: Measurer, runs: Sequence[Run]) -> Iterator[Job]:
    """The measurements of what tuning chose."""
    for role in dict.fromkeys(run.role for run in runs):
        same = [run for run in runs if run.role == role]
        for way in ways_of(role).values():
            chosen = chosen_trial(measurer, same, way)
            if chosen is not None:
                for run in same:
                    yield run, "report", chosen


def chosen_trial(measurer: Measurer, runs: Sequence[Run], way: Way) -> Trial | None:
    """The trial with the highest AP on the tuning split, in the mean over a detector's seeds.

    None where it cannot be told: nothing to try, or not all of it measured.
    """

    def figure(trial: Trial) -> float:
        found = [measurer.known(run, "tune", trial) for run in runs]
        return mean(math.nan if figures is None else figures["AP"] for figures in found)

    if not runs or not way.trials or any(math.isnan(figure(trial)) for trial in way.trials):
        return None
    return best_trial(way.trials, figure)[0]
