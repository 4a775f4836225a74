"""Joins what the detector found in overlapping tiles: one box an object, also where a seam cut it.

Two boxes of one class from two tiles show the same object if they agree on the part of the picture that both tiles see.
A box is cut if it ends where its tile ends and the picture does not.

1. Boxes that are not cut come first, most confident first. Each removes the boxes that agree with it. A weak box
   removes a stronger cut twin only if the twin's own predicted integrity admits that the twin is a part.
2. The cut boxes that remain have no whole twin. Those that continue each other across seams become their union.
3. Each whole box has its witnesses: of every tile that holds it and shows as many pixels, the box that fits it. A tile
   that holds it and shows nothing speaks against it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dirdet.detection.ranking import iou_with, ranked_nms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# A witness overlaps the box by more than this IoU, and its tile shows as many pixels, but for rounding.
WITNESS_IOU = 0.6
SAME_SCALE = 1.01


@dataclass(frozen=True, slots=True)
class Seen:
    """N boxes that were found in T tiles.

    Attributes:
        boxes_xyxy: [N, 4] in pixels of the picture.
        class_id: [N].
        rank: [N], higher is better.
        integrity: [N] in 0..1, predicted overlap / area of the object; 1 from a detector that predicts none.
        tile: [N] index of the tile.
        tiles_xyxy: [T, 4] in pixels of the picture.
        margin: [T] pixels of the picture within which an edge of a box is on an edge of the tile.
        picture_wh: width and height in pixels.
    """

    boxes_xyxy: Floats
    class_id: Ints
    rank: Floats
    integrity: Floats
    tile: Ints
    tiles_xyxy: Floats
    margin: Floats
    picture_wh: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Joined:
    """K objects, best ranked first.

    Attributes:
        leader: [K] index of the box that stands for the object.
        boxes_xyxy: [K, 4] the leader's box, or the union of the parts.
        parts: of each object the indices of the boxes in the union, the leader's first.
        witnesses: of each object that is no union the indices of its witnesses, the leader first; of a union none.
        tiles: [K] number of tiles that hold the object, at least the number of witnesses.
    """

    leader: Ints
    boxes_xyxy: Floats
    parts: list[list[int]]
    witnesses: list[list[int]]
    tiles: Ints


def join(seen: Seen, *, iou_threshold: float) -> Joined:
    """One box for each object.

    Args:
        seen: what the tiles show, each after its own NMS.
        iou_threshold: boxes agree above it, in 0..1.
    """
    cut: Bools = np.any(on_seams(seen), axis=1)  # [N]
    alive = np.ones(len(seen.rank), np.bool_)
    neighbours = _neighbours(seen)
    leaders: list[int] = []
    boxes: list[Floats] = []
    parts: list[list[int]] = []
    # Whole ones first; of equally ranked ones the one from the tile that shows the most pixels.
    for index in np.lexsort((seen.margin[seen.tile], -seen.rank, cut)).tolist():
        if not alive[index]:
            continue
        alive[index] = False
        members = [index]
        if cut[index]:
            members += _continued(seen, index, neighbours, alive, iou_threshold=iou_threshold)
        else:
            twins = _twins(seen, index, neighbours, alive, iou_threshold=iou_threshold)
            alive[twins[_yields(seen, index, twins, cut)]] = False
        hulls = seen.boxes_xyxy[members]
        leaders.append(index)
        boxes.append(np.concatenate([hulls[:, :2].min(axis=0), hulls[:, 2:].max(axis=0)]))
        parts.append(members)
    leader, hull = np.array(leaders, np.int64), np.array(boxes, np.float64).reshape(-1, 4)
    kept = ranked_nms(hull, seen.class_id[leader], seen.rank[leader], iou_threshold=iou_threshold)
    order: list[int] = kept.tolist()
    heard = [
        _heard(seen, leaders[position], neighbours, cut) if len(parts[position]) == 1 else Heard([], 0)
        for position in order
    ]
    return Joined(
        leader[kept],
        hull[kept],
        [parts[position] for position in order],
        [each.witnesses for each in heard],
        np.array([each.tiles for each in heard], np.int64),
    )


class Heard(NamedTuple):
    """As in `Joined`, of one object."""

    witnesses: list[int]
    tiles: int


def _heard(seen: Seen, index: int, neighbours: list[Ints], cut: Bools) -> Heard:
    """The witnesses of a box, itself first, and the number of tiles that hold it."""
    if cut[index]:
        return Heard([index], 1)
    own, box = int(seen.tile[index]), seen.boxes_xyxy[index]
    width, height = seen.picture_wh
    margin = seen.margin[own]
    inside = (seen.tiles_xyxy[:, :2] <= np.maximum(box[:2] - margin, 0)).all(axis=1)
    inside &= (seen.tiles_xyxy[:, 2:] >= np.minimum(box[2:] + margin, (width, height))).all(axis=1)
    holds = inside & (seen.margin <= SAME_SCALE * margin)  # [T]
    holds[own] = False
    near = neighbours[own]
    near = near[holds[seen.tile[near]] & ~cut[near] & (seen.class_id[near] == seen.class_id[index])]
    near = near[iou_with(box, seen.boxes_xyxy[near]) > WITNESS_IOU]
    best: dict[int, int] = {}
    for each in near[np.argsort(seen.rank[near], kind="stable")].tolist():
        best[int(seen.tile[each])] = each
    return Heard([index, *best.values()], 1 + int(holds.sum()))


def on_seams(seen: Seen) -> Bools:
    """[N, 4] which edges of the boxes lie where their tile ends and the picture does not."""
    edges = seen.tiles_xyxy[seen.tile]  # [N, 4]
    width, height = seen.picture_wh
    goes_on = (edges > 0) & (edges < np.array([width, height, width, height]))
    return goes_on & (np.abs(seen.boxes_xyxy - edges) <= seen.margin[seen.tile][:, None])


def agree(seen: Seen, index: int, others: Ints, *, iou_threshold: float) -> Bools:
    """[M] which of the other boxes show the same as one box, on what the tiles of both see."""
    box, boxes = seen.boxes_xyxy[index], seen.boxes_xyxy[others]
    tile, tiles = seen.tiles_xyxy[seen.tile[index]], seen.tiles_xyxy[seen.tile[others]]
    left_top = np.maximum(tile[:2], tiles[:, :2])
    right_bottom = np.minimum(tile[2:], tiles[:, 2:])

    def clipped(corners: Floats) -> Floats:
        sides = [np.clip(corners[..., at : at + 2], left_top, right_bottom) for at in (0, 2)]
        return np.concatenate(sides, axis=-1)

    one, another = clipped(box), clipped(boxes)  # [M, 4] each
    both = _filled(one) & _filled(another)
    # Slivers at an edge are as wide as the error of a side.
    margin = np.maximum(seen.margin[seen.tile[index]], seen.margin[seen.tile[others]])  # [M]
    near = (np.abs(one - another) <= margin[:, None]).all(axis=1)
    return both & (near | (iou_with(one, another) > iou_threshold)) & (seen.class_id[others] == seen.class_id[index])


def _filled(boxes_xyxy: Floats) -> Bools:
    return (boxes_xyxy[:, 2] > boxes_xyxy[:, 0]) & (boxes_xyxy[:, 3] > boxes_xyxy[:, 1])


def _neighbours(seen: Seen) -> list[Ints]:
    """For each tile the boxes of the tiles that overlap it, its own included."""
    of_tile = [np.flatnonzero(seen.tile == tile) for tile in range(len(seen.tiles_xyxy))]
    left_top, right_bottom = seen.tiles_xyxy[:, :2], seen.tiles_xyxy[:, 2:]
    found: list[Ints] = []
    for tile in seen.tiles_xyxy:
        meets: list[int] = np.flatnonzero(((left_top < tile[2:]) & (right_bottom > tile[:2])).all(axis=1)).tolist()
        found.append(np.concatenate([of_tile[other] for other in meets]))
    return found


def _twins(seen: Seen, index: int, neighbours: list[Ints], alive: Bools, *, iou_threshold: float) -> Ints:
    near = neighbours[int(seen.tile[index])]
    waiting: Ints = near[alive[near]]
    return waiting[agree(seen, index, waiting, iou_threshold=iou_threshold)]


def _yields(seen: Seen, index: int, twins: Ints, cut: Bools) -> Bools:
    """[M] which twins a whole box removes; the more a cut twin claims to be whole, the stronger it has to be."""
    box, boxes = seen.boxes_xyxy[index], seen.boxes_xyxy[twins]
    sides = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None)
    expected = sides.prod(axis=1) / max(float((box[2:] - box[:2]).prod()), 1e-9)  # integrity, if the box is the object
    needed = seen.rank[twins] * np.clip(seen.integrity[twins] - expected, 0, 1)
    return ~cut[twins] | (seen.rank[index] >= needed)


def _continued(seen: Seen, index: int, neighbours: list[Ints], alive: Bools, *, iou_threshold: float) -> list[int]:
    """The boxes of other tiles that continue a cut box, from tile to tile; they are not alive any more."""
    found: list[int] = []
    frontier = [index]
    while frontier:
        at = frontier.pop()
        twins = _twins(seen, at, neighbours, alive, iou_threshold=iou_threshold)
        alive[twins] = False
        others = twins[seen.tile[twins] != seen.tile[at]].tolist()
        found += others
        frontier += others
    return found
