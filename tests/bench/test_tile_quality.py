"""What `dirdet bench tiles-quality` counts as wrong, and what it says of boxes that a seam cuts."""

from types import SimpleNamespace

import numpy as np
import pytest

from dirdet.detector.tile_joining import Seen
from dirdet_bench.tiles.counting import Boxes, Counts, judged_boxes
from dirdet_bench.tiles.seams import cut_fits, seam_figures

OBJECTS = np.array([(0, 0, 100, 100), (60, 60, 160, 160), (70, 70, 80, 80)], np.float64)


def counted(*boxes: tuple[float, ...], category: int = 1, cut: float = 0.0) -> Counts:
    count = len(boxes)
    rank = np.array(np.linspace(0.9, 0.5, count), np.float64)
    found = Boxes(np.array(boxes, np.float64).reshape(-1, 4), rank, np.full(count, category, np.float64))
    return judged_boxes(found, OBJECTS, np.ones(len(OBJECTS), np.int64)).above(cut)


def test_no_boxes() -> None:
    assert counted() == Counts(objects=3)
    assert counted().f1 == 0


def test_one_box_an_object_is_right_and_the_next_a_duplicate() -> None:
    found = counted((0, 0, 100, 100), (0, 0, 100, 90), (60, 60, 160, 160))
    assert found == Counts(right=2, duplicates=1, boxes=3, objects=3)
    assert found.f1 == pytest.approx(4 / 6)


def test_a_box_inside_an_object_is_a_part_and_one_beside_is_none() -> None:
    assert counted((0, 0, 100, 40)).halves == 1
    assert counted((300, 300, 340, 340)).halves == 0
    assert counted((0, 0, 100, 40), category=2) == Counts(boxes=1, objects=3)
    assert counted((0, 0, 100, 40), cut=0.95) == Counts(objects=3)
    assert counted((0, 0, 100, 100), (0, 0, 100, 40), (0, 0, 100, 90), cut=0.6) == Counts(1, 0, 1, 2, 3)


def test_a_box_around_a_small_object_is_no_part_of_a_large_one_beside() -> None:
    """All of the small object lies in the box, and half of the box in a large object."""
    assert counted((70, 0, 130, 81)).halves == 0


def test_integrity_is_compared_with_what_the_tile_shows() -> None:
    """The first tile shows half of an object, the second all of it, and a third box is not at the seam."""
    seen = Seen(
        boxes_xyxy=np.array([(80, 0, 100, 20), (80, 0, 120, 20), (10, 0, 30, 20)], np.float64),
        class_id=np.zeros(3, np.int64),
        rank=np.ones(3),
        integrity=np.array([0.6, 0.9, 0.1]),
        tile=np.array([0, 1, 0]),
        tiles_xyxy=np.array([(0, 0, 100, 50), (80, 0, 180, 50)], np.float64),
        margin=np.full(2, 2.0),
        picture_wh=(180, 50),
    )
    tiled = SimpleNamespace(seen=lambda: ([SimpleNamespace(score=0.9, category_id=7)] * 3, seen))
    objects = np.array([(80, 0, 120, 20), (10, 0, 30, 20)], np.float64)
    fits = cut_fits(tiled, objects, np.array([7, 7]))  # pyright: ignore[reportArgumentType]
    assert fits.predicted.tolist() == [0.6, 0.9]
    assert fits.true.tolist() == [0.5, 1.0]
    figures = seam_figures([fits])
    assert (figures.boxes, figures.auroc) == (2, 1.0)
    assert figures.error == pytest.approx(0.1)
    assert seam_figures([cut_fits(tiled, objects[:0], np.array([], np.int64))]).boxes == 0  # pyright: ignore[reportArgumentType]
