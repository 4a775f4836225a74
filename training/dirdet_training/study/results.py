"""A study's results: every row of every table over seeds, its gain on the same checkpoints, and the paper's order."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dirdet_training.rivals.tuning import Trial
from dirdet_training.study.gains import Pair, pairs
from dirdet_training.study.intervals import Interval, Verdict, interval, paired, verdict
from dirdet_training.study.measurements import Gain, Measurer, Run
from dirdet_training.study.paper import PEARSON, TABLES, Row, Table
from dirdet_training.study.row_rankings import WAYS
from dirdet_training.study.tune import chosen_trial

FIGURES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AP90", "AP_agnostic")
# The figures for which the paper's order makes statements.
ORDERED = ("AP", "AP75")
Values = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Measurement:
    """The measured figures of a row.

    Attributes:
        trial: the description of the NMS.
        values: by figure, one value for each seed; includes Pearson.
        figures: the intervals of the values.
        gains: the gains over the same checkpoints ranked by score, both untuned or both tuned.
    """

    trial: str
    values: Values
    figures: Mapping[str, Interval]
    gains: Mapping[str, Interval]


@dataclass(frozen=True)
class RowResult:
    """The result of a table's row; a part is None if it is not measured, or if the row has no settings to tune."""

    row: Row
    seeds: tuple[int, ...]
    untuned: Measurement | None
    tuned: Measurement | None


@dataclass(frozen=True)
class Statement:
    """The statement that one row's figure is above another's, as in the paper.

    Attributes:
        text: the statement as text.
        paper: the difference in the paper; None if the paper does not give both figures.
        difference: the difference in this study, paired by seed.
        verdict: the verdict of the interval.
    """

    text: str
    paper: float | None
    difference: Interval
    verdict: Verdict


@dataclass(frozen=True)
class TableResult:
    """A table's results with the statements of its order."""

    table: Table
    rows: tuple[RowResult, ...]
    statements: tuple[Statement, ...]


def table_results(measurer: Measurer, runs: Sequence[Run]) -> list[TableResult]:
    """Makes the results of all tables from the stored measurements."""
    results: list[TableResult] = []
    for table in TABLES:
        rows = tuple(row_result(measurer, runs, row) for row in table.rows)
        statements = order(rows, ORDERED) if table.ordered else over_rivals(rows, ORDERED, told=table.comparable)
        results.append(TableResult(table, rows, tuple(statements)))
    return results


def row_result(measurer: Measurer, runs: Sequence[Run], row: Row) -> RowResult:
    """Makes the result of one row over the seeds of its detector."""
    way, score = WAYS[row.way], WAYS["score"]
    found = pairs(measurer, runs, row)
    ranked, over = [pair.run for pair in found], [pair.over for pair in found]
    untuned = None
    if found:
        untuned = _measurement(measurer, found, ranked[0].untuned(way), over[0].untuned(score), way.said)
    chosen, baseline = chosen_trial(measurer, ranked, way), chosen_trial(measurer, over, score)
    tuned = None if chosen is None else _measurement(measurer, found, chosen, baseline, way.said)
    return RowResult(row, tuple(run.seed for run in ranked), untuned, tuned)


def _measurement(
    measurer: Measurer, found: Sequence[Pair], trial: Trial, baseline: Trial | None, said: str | None
) -> Measurement | None:
    runs = [pair.run for pair in found]
    values = _values(measurer, runs, trial)
    if values is None:
        return None
    gains = {} if baseline is None else _gains(measurer, found, trial, baseline)
    values = {**values, "Pearson": [measurer.known_correlations(run).get(said or "", math.nan) for run in runs]}
    return Measurement(repr(trial), values, {name: interval(found) for name, found in values.items()}, gains)


def _gains(measurer: Measurer, found: Sequence[Pair], trial: Trial, baseline: Trial) -> Mapping[str, Interval]:
    """Computes the gains, paired by seed; for one seed with the spread over pictures, if it is measured."""
    one = Gain(found[0].run, trial, found[0].over, baseline)
    values = _values(measurer, [pair.run for pair in found], trial)
    by_score = _values(measurer, [pair.over for pair in found], baseline)
    if values is None or by_score is None or one.trivial:
        return {}
    gains = {name: paired(values[name], by_score[name]) for name in FIGURES}
    if len(found) == 1:
        gains |= {name: gains[name].spread(value) for name, value in measurer.known_spread(one).items()}
    return gains


def _values(measurer: Measurer, runs: Sequence[Run], trial: Trial) -> Values | None:
    """Returns figures by name, one for each seed; None unless every seed is measured."""
    found = [measurer.known(run, "report", trial) for run in runs]
    complete = [figures for figures in found if figures is not None]
    if len(complete) < len(runs):
        return None
    return {name: [figures[name] for figures in complete] for name in FIGURES}


def order(rows: Sequence[RowResult], names: Sequence[str]) -> Iterator[Statement]:
    """Makes the statements of a table's order: every row is above the rows with the next lower figure in the paper.

    The untuned figures are compared, because the paper's rows are untuned.
    """
    for name in names:
        told = [result for result in rows if name in result.row.paper]
        levels = sorted({result.row.paper[name] for result in told})
        for low, high in pairwise(levels):
            below = [result for result in told if result.row.paper[name] == low]
            above = [result for result in told if result.row.paper[name] == high]
            for better in above:
                for worse in below:
                    text = f"{name} of {better.row.label} above {worse.row.label}"
                    yield statement(text, round(high - low, 3), _of(better, name), _of(worse, name))


def over_rivals(rows: Sequence[RowResult], names: Sequence[str], *, told: bool) -> Iterator[Statement]:
    """Makes the statements that DIR is above every other NMS but the oracle on the same checkpoints, equally tuned.

    Args:
        rows: the rows of one table.
        names: the names of the figures to compare.
        told: whether the paper's difference is included.
    """
    for ours in (result for result in rows if result.row.way == "dir" and result.tuned is not None):
        for theirs in rows:
            if theirs.row.role != ours.row.role or theirs.row.way in ("dir", "oracle") or theirs.tuned is None:
                continue
            for name in names:
                both = told and name in ours.row.paper and name in theirs.row.paper
                there = round(ours.row.paper[name] - theirs.row.paper[name], 3) if both else None
                text = f"tuned {name} of {ours.row.label} above {theirs.row.label}"
                yield statement(text, there, _of(ours, name, tuned=True), _of(theirs, name, tuned=True))


def pearson_order(measurer: Measurer, runs: Sequence[Run]) -> list[Statement]:
    """Makes the statements of Figure 4, with the paper's correlations."""
    found = {run.seed: measurer.known_correlations(run) for run in runs if run.role == "faster"}
    statements: list[Statement] = []
    for worse, better in pairwise(PEARSON):
        ours = [
            {seed: told.get(WAYS[way].said or "", math.nan) for seed, told in found.items()} for way in (better, worse)
        ]
        text = f"Pearson of {better} above {worse}"
        statements.append(statement(text, round(PEARSON[better] - PEARSON[worse], 3), *ours))
    return statements


def statement(text: str, paper: float | None, better: Mapping[int, float], worse: Mapping[int, float]) -> Statement:
    """Makes a statement with its verdict from figures by seed; the seeds that both have are paired."""
    difference = interval([better[seed] - worse[seed] for seed in sorted(better.keys() & worse.keys())])
    return Statement(text, paper, difference, verdict(difference))


def _of(result: RowResult, name: str, *, tuned: bool = False) -> Mapping[int, float]:
    """A row's figure by seed."""
    measured = result.tuned if tuned else result.untuned
    return {} if measured is None else dict(zip(result.seeds, measured.values[name], strict=True))


def gains_over_plain(measurer: Measurer, runs: Sequence[Run]) -> Mapping[str, Interval]:
    """Computes the gain of ranking by DIR over the detector without DIR, paired by seed (Table 1's baseline)."""
    found: dict[str, dict[int, Mapping[str, float]]] = {"plain": {}, "faster": {}}
    for run in runs:
        if run.role in found:
            way = WAYS["score" if run.role == "plain" else "dir"]
            figures = measurer.known(run, "report", run.untuned(way))
            if figures is not None:
                found[run.role][run.seed] = figures
    seeds = sorted(found["plain"].keys() & found["faster"].keys())
    if not seeds:
        return {}
    return {
        name: interval([found["faster"][seed][name] - found["plain"][seed][name] for seed in seeds]) for name in FIGURES
    }
