"""Tiles and their joining, against a detector that sees everything: the objects of the picture come back, each once."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirdet.detection.ranking import iou_with
from dirdet.detector.tile_joining import Joined, Seen, join
from dirdet.detector.tiles import Rectangle, Tiling

MARGIN = 2.0
# Of an object, in pixels: less is not seen by the detector of these tests.
LEAST_SEEN = 8
TILE = (100, 80)


class Unscaled:
    """The part of a manifest that tiles depend on."""

    class resize:  # noqa: N801
        fixed_hw = None
        long_side, short_side = TILE


def tiles_of(picture_wh: tuple[int, int], overlap: float = 0.2) -> list[Rectangle]:
    return Tiling(TILE, overlap).cut(picture_wh, Unscaled)  # pyright: ignore[reportArgumentType]


def smallest(tiles: Sequence[Rectangle]) -> list[Rectangle]:
    """Those of the size that was asked for; the whole picture, if it is one tile."""
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in tiles if x2 - x1 <= TILE[0] and y2 - y1 <= TILE[1]] or list(tiles)


def look(
    objects: Sequence[Sequence[float]], tiles: Sequence[Rectangle], picture_wh: tuple[int, int], *, knows: bool = True
) -> Seen:
    """What a perfect detector finds in each tile: the visible part of each object.

    Args:
        objects: boxes.
        tiles: the tiles.
        picture_wh: of the picture.
        knows: it knows which share of the object it sees; else it takes each part for a whole.
    """
    rows: list[tuple[list[float], int, float]] = []
    for index, tile in enumerate(tiles):
        for box in objects:
            part = [max(box[0], tile[0]), max(box[1], tile[1]), min(box[2], tile[2]), min(box[3], tile[3])]
            width, height = part[2] - part[0], part[3] - part[1]
            if min(width, height) >= min(LEAST_SEEN, box[2] - box[0], box[3] - box[1]):
                share = width * height / ((box[2] - box[0]) * (box[3] - box[1]))
                rows.append((part, index, share if knows else 1.0))
    boxes = np.array([row[0] for row in rows], np.float64).reshape(-1, 4)
    integrity = np.array([row[2] for row in rows], np.float64)
    return Seen(
        boxes_xyxy=boxes,
        class_id=np.zeros(len(rows), np.int64),
        rank=0.9 * np.sqrt(integrity),
        integrity=integrity,
        tile=np.array([row[1] for row in rows], np.int64),
        tiles_xyxy=np.array(tiles, np.float64),
        margin=np.full(len(tiles), MARGIN),
        picture_wh=picture_wh,
    )


def joined(seen: Seen) -> Joined:
    return join(seen, iou_threshold=0.5)


def same(found: Joined, objects: Sequence[Sequence[float]]) -> bool:
    return sorted(found.boxes_xyxy.tolist()) == sorted([float(side) for side in box] for box in objects)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[list[int]], tuple[int, int]]:
    """Objects that do not meet, one in each cell of a grid, from small ones to ones that fill their cell."""
    cell_wh = draw(st.sampled_from([(40, 40), (70, 60), (150, 90), (230, 180)]))
    picture_wh = draw(st.integers(60, 420)), draw(st.integers(60, 420))
    objects: list[list[int]] = []
    for left in range(0, picture_wh[0] - cell_wh[0] + 1, cell_wh[0]):
        for top in range(0, picture_wh[1] - cell_wh[1] + 1, cell_wh[1]):
            width, height = draw(st.integers(12, cell_wh[0] - 6)), draw(st.integers(12, cell_wh[1] - 6))
            x = left + draw(st.integers(3, cell_wh[0] - 3 - width))
            y = top + draw(st.integers(3, cell_wh[1] - 3 - height))
            objects.append([x, y, x + width, y + height])
    return objects, picture_wh


@given(scene=scenes(), knows=st.booleans(), overlap=st.sampled_from([0.0, 0.2, 0.5]))
@settings(max_examples=150, deadline=None)
def test_objects_come_back_once_and_whole(
    scene: tuple[list[list[int]], tuple[int, int]], knows: bool, overlap: float
) -> None:
    """The whole picture is among the tiles, so that each object is seen whole at least once."""
    objects, picture_wh = scene
    assert same(joined(look(objects, tiles_of(picture_wh, overlap), picture_wh, knows=knows)), objects)


@given(scene=scenes(), knows=st.booleans(), overlap=st.sampled_from([0.1, 0.2, 0.5]))
@settings(max_examples=100, deadline=None)
def test_parts_without_a_whole_twin_become_their_union(
    scene: tuple[list[list[int]], tuple[int, int]], knows: bool, overlap: float
) -> None:
    """Without the whole picture no tile sees a large object whole. Parts of less than `LEAST_SEEN` are missing."""
    objects, picture_wh = scene
    tiles = smallest(tiles_of(picture_wh, overlap))
    found = joined(look(objects, tiles, picture_wh, knows=knows))
    assert len(found.leader) == len(objects)
    for box in objects:
        nearest = np.abs(found.boxes_xyxy - np.array(box)).max(axis=1).min()
        assert nearest < LEAST_SEEN


@pytest.mark.parametrize(
    "box",
    [
        (80, 10, 100, 30),  # ends at the first tile's seam
        (76, 10, 96, 30),  # whole in the overlap
        (70, 40, 130, 90),  # on the corner of four tiles
        (5, 5, 260, 170),  # larger than a tile
        (0, 0, 300, 200),  # all of the picture
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_objects_at_seams(box: Rectangle, whole: bool) -> None:
    """Without the whole picture among the tiles the parts of a large object become their union."""
    tiles = tiles_of((300, 200))
    assert same(joined(look([box], tiles if whole else tiles[:-1], (300, 200))), [box])


def test_empty_tiles_and_no_tiles_at_all() -> None:
    assert joined(look([], tiles_of((300, 200)), (300, 200))).parts == []
    found = joined(look([(10, 10, 40, 40)], tiles_of((300, 200)), (300, 200)))
    assert len(found.leader) == 1


def test_other_classes_stay_apart() -> None:
    seen = look([(80, 40, 120, 60)], tiles_of((300, 200)), (300, 200))
    seen.class_id[1:] = 1
    assert len(joined(seen).leader) == 2


def test_a_weak_box_does_not_remove_a_strong_one_that_claims_to_be_whole() -> None:
    """The strong one ends at the seam by chance; the weak one is the network's error."""
    tiles = np.array([(0, 0, 100, 80), (80, 0, 180, 80), (0, 0, 180, 80)], np.float64)
    seen = Seen(
        boxes_xyxy=np.array([(60, 10, 99, 50), (60, 10, 170, 50)], np.float64),
        class_id=np.zeros(2, np.int64),
        rank=np.array([0.9, 0.2]),
        integrity=np.array([0.97, 0.9]),
        tile=np.array([0, 2]),
        tiles_xyxy=tiles,
        margin=np.full(3, MARGIN),
        picture_wh=(180, 80),
    )
    assert 0 in joined(seen).leader
    seen.integrity[0] = 0.4  # it admits to be a part
    assert joined(seen).leader.tolist() == [1]


@given(scene=scenes(), noise=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_inaccurate_boxes_are_still_one_an_object(scene: tuple[list[list[int]], tuple[int, int]], noise: int) -> None:
    objects, picture_wh = scene
    tiles = tiles_of(picture_wh)
    seen = look(objects, tiles, picture_wh)
    moved = seen.boxes_xyxy + np.random.default_rng(noise).uniform(-1, 1, seen.boxes_xyxy.shape)
    edges = seen.tiles_xyxy[seen.tile]
    seen.boxes_xyxy[:] = np.clip(moved, edges[:, [0, 1, 0, 1]], edges[:, [2, 3, 2, 3]])
    found = joined(seen)
    assert len(found.leader) == len(objects)
    for box in found.boxes_xyxy:
        assert iou_with(box, np.array(objects, np.float64)).max() > 0.6


@given(picture_wh=st.tuples(st.integers(1, 900), st.integers(1, 900)), overlap=st.sampled_from([0.0, 0.2, 0.5, 0.8]))
def test_tiles_cover_the_picture_and_overlap(picture_wh: tuple[int, int], overlap: float) -> None:
    tiles = tiles_of(picture_wh, overlap)
    covered = np.zeros(picture_wh[::-1], np.bool_)
    for left, top, right, bottom in tiles:
        assert 0 <= left < right <= picture_wh[0]
        assert 0 <= top < bottom <= picture_wh[1]
        covered[top:bottom, left:right] = True
    assert covered.all()
    assert tiles[-1] == (0, 0, *picture_wh)
    assert len(tiles) == len(set(tiles))
    lefts = sorted({tile[0] for tile in smallest(tiles)})
    assert all(second - first <= TILE[0] * (1 - overlap) for first, second in pairwise(lefts))


def test_a_tile_that_holds_an_object_and_shows_nothing_speaks_against_it() -> None:
    """Two tiles hold the first object, one of which missed it; the second object is in one tile alone."""
    tiles = np.array([(0, 0, 100, 80), (60, 0, 160, 80), (0, 0, 160, 80)], np.float64)
    seen = Seen(
        boxes_xyxy=np.array([(65, 10, 90, 40), (66, 10, 91, 40), (10, 10, 40, 40), (120, 40, 150, 70)], np.float64),
        class_id=np.zeros(4, np.int64),
        rank=np.array([0.9, 0.8, 0.7, 0.6]),
        integrity=np.ones(4),
        tile=np.array([0, 1, 0, 1]),
        tiles_xyxy=tiles,
        margin=np.array([2.0, 2.0, 4.0]),  # the whole picture is seen reduced, so that it does not count
        picture_wh=(160, 80),
    )
    found = joined(seen)
    assert found.leader.tolist() == [0, 2, 3]
    assert found.witnesses == [[0, 1], [2], [3]]
    assert found.tiles.tolist() == [2, 1, 1]
    seen.class_id[1] = 1
    assert joined(seen).tiles.tolist() == [2, 2, 1, 1]
    assert [len(each) for each in joined(seen).witnesses] == [1, 1, 1, 1]
