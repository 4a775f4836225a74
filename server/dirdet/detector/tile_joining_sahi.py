"""SAHI's rules for boxes of overlapping tiles: NMS, NMM and greedy NMM, by IOU or IOS.

The results are those of `sahi.postprocess.combine` of SAHI 0.12 (https://github.com/obss/sahi), class by class.
SAHI compares scores; here `Seen.rank` takes their place.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from dirdet.detection.ranking import Floats
from dirdet.detector.tile_joining import Bools, Ints, Joined, Seen

Metric = Literal["iou", "ios"]


def join_as_sahi(seen: Seen, rule: str, *, threshold: float) -> Joined:
    """One box for each object, by a rule of `SAHI_RULES`; boxes match if their overlap is at least the threshold."""
    group, metric = SAHI_RULES[rule]
    leaders: list[int] = []
    boxes: list[Floats] = []
    parts: list[list[int]] = []
    for class_id in np.unique(seen.class_id):
        rows = np.flatnonzero(seen.class_id == class_id)
        corners = seen.boxes_xyxy[rows]
        # Equal ranks in the order of left, top, right, bottom.
        order = np.lexsort((*corners.T[::-1], -seen.rank[rows]))
        rows, corners = rows[order], corners[order]
        match = partial(_matches, corners, metric=metric, threshold=threshold)
        for leader, members in group(match, corners, seen.rank[rows], rows):
            hull = corners[leader].copy()
            merged = [leader]
            for member in members:
                if overlap(hull, corners[member][None], metric)[0] >= threshold:
                    other = corners[member]
                    hull = np.concatenate([np.minimum(hull[:2], other[:2]), np.maximum(hull[2:], other[2:])])
                    merged.append(member)
            leaders.append(int(rows[leader]))
            boxes.append(hull)
            parts.append(rows[merged].tolist())
    leader, hull = np.array(leaders, np.int64), np.array(boxes, np.float64).reshape(-1, 4)
    best_first = np.argsort(-seen.rank[leader], kind="stable")
    order: list[int] = best_first.tolist()
    ordered = [parts[position] for position in order]
    return Joined(
        leader[best_first], hull[best_first], ordered, [[] for _ in ordered], np.zeros(len(ordered), np.int64)
    )


def overlap(box_xyxy: Floats, boxes_xyxy: Floats, metric: Metric) -> Floats:
    """[N] overlap of one box with others: divided by the area of both together (IOU), or of the smaller one (IOS)."""
    sides = np.minimum(box_xyxy[2:], boxes_xyxy[:, 2:]) - np.maximum(box_xyxy[:2], boxes_xyxy[:, :2])
    both = np.clip(sides, 0, None).prod(axis=1)
    area, areas = (box_xyxy[2:] - box_xyxy[:2]).prod(), (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    whole = area + areas - both if metric == "iou" else np.minimum(area, areas)
    return np.divide(both, whole, out=np.zeros_like(both), where=whole > 0)


def _matches(corners: Floats, index: int, *, metric: Metric, threshold: float) -> Bools:
    found = overlap(corners[index], corners, metric) >= threshold
    found[index] = False
    return found


Match = Callable[[int], Bools]
Groups = list[tuple[int, list[int]]]
Group = Callable[[Match, Floats, Floats, Ints], Groups]


def _nms(match: Match, corners: Floats, rank: Floats, rows: Ints) -> Groups:
    return [(leader, []) for leader, _ in _greedy_nmm(match, corners, rank, rows)]


def _greedy_nmm(match: Match, corners: Floats, rank: Floats, rows: Ints) -> Groups:  # noqa: ARG001 - as `_nmm`
    """Each leader takes the free boxes that match it."""
    free = np.ones(len(corners), np.bool_)
    groups: Groups = []
    for index in range(len(corners)):
        if free[index]:
            free[index] = False
            members: Ints = np.flatnonzero(match(index) & free)
            free[members] = False
            groups.append((index, members.tolist()))
    return groups


def _nmm(match: Match, corners: Floats, rank: Floats, rows: Ints) -> Groups:
    """Each box, leader or not, gives the free boxes that match it and rank no higher to its leader.

    They are merged in the order of `rows`, on which the union depends.
    """
    leader = np.full(len(corners), -1)
    groups: dict[int, list[int]] = {}
    for index in range(len(corners)):
        if leader[index] < 0:
            leader[index] = index
            groups[index] = []
        # Of equal rank, only one that does not come after it by its corners: an equal box.
        below = (rank < rank[index]) | ((rank == rank[index]) & (corners == corners[index]).all(axis=1))
        members = np.flatnonzero(match(index) & below & (leader < 0))
        members = members[np.argsort(rows[members])]
        leader[members] = leader[index]
        groups[int(leader[index])] += members.tolist()
    return list(groups.items())


SAHI_RULES: dict[str, tuple[Group, Metric]] = {
    "nms": (_nms, "iou"),
    "nms_ios": (_nms, "ios"),
    "nmm": (_nmm, "iou"),
    "nmm_ios": (_nmm, "ios"),
    "greedy_nmm": (_greedy_nmm, "iou"),
    "greedy_nmm_ios": (_greedy_nmm, "ios"),
}
