"""DIR's ranked NMS with its further steps: clusters by score, representatives, voting, what is reported."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product, starmap

from dirdet_training.nms import Representative, Selection, Voting
from dirdet_training.nms.suppression import CLUSTERS, SelectedNMS
from dirdet_training.rivals.rival import Rival
from dirdet_training.rivals.tuning import TWO_THRESHOLDS, WEIGHTS, Trial

# What stands for a cluster leans to the iou; votes fall with the overlap.
CLUSTER_WEIGHTS, SPREADS = (0.5, 0.8, 0.9), (0.01, 0.025)


def _selected(name: str, selection: Selection, tried: Iterable[Selection], *, thresholds: Iterable[float]) -> Rival:
    trials = tuple(Trial(SelectedNMS(one), threshold) for one, threshold in product(tried, thresholds))
    return Rival(name, SelectedNMS(selection), trials)


def _clusters(iou_weight: float, spread: float | None = None) -> Selection:
    voting = None if spread is None else Voting(spread=spread)
    return replace(CLUSTERS, representative=Representative(iou_weight), voting=voting)


_VOTING = tuple(starmap(_clusters, product(CLUSTER_WEIGHTS, SPREADS)))
_PLAIN = tuple(map(_clusters, CLUSTER_WEIGHTS))
SELECTED = (
    _selected(
        "dir_by_score",
        Selection(report_by="score"),
        [Selection(iou_weight=weight, report_by="score") for weight in WEIGHTS],
        thresholds=TWO_THRESHOLDS,
    ),
    _selected(
        "dir_voting",
        Selection(voting=Voting()),
        [Selection(iou_weight=weight, voting=Voting(spread=spread)) for weight, spread in product(WEIGHTS, SPREADS)],
        thresholds=(0.5,),
    ),
    _selected("clusters", CLUSTERS, _PLAIN, thresholds=TWO_THRESHOLDS),
    _selected("clusters_voting", replace(CLUSTERS, voting=Voting()), _VOTING, thresholds=(0.5,)),
    _selected(
        "clusters_by_score",
        replace(CLUSTERS, report_by="score"),
        [replace(each, report_by="score") for each in _PLAIN],
        thresholds=TWO_THRESHOLDS,
    ),
    _selected(
        "clusters_voting_by_score",
        replace(CLUSTERS, voting=Voting(), report_by="score"),
        [replace(each, report_by="score") for each in _VOTING],
        thresholds=(0.5,),
    ),
)
