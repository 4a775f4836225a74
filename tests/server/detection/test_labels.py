"""Where labels are written."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.detection.labels import Box, place_labels

PICTURE_WH = (640, 480)
LABEL_WH = (100, 20)

sides = st.tuples(st.floats(0, 640), st.floats(0, 640), st.floats(0, 480), st.floats(0, 480))
boxes = sides.map(lambda x: (min(x[:2]), min(x[2:]), max(x[:2]), max(x[2:])))
labels = st.tuples(st.integers(1, 640), st.integers(1, 480))


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(one[0] - other[0]) < LABEL_WH[0] and abs(one[1] - other[1]) < LABEL_WH[1]


def place(*placed: Box) -> list[tuple[int, int]]:
    return place_labels(placed, [LABEL_WH] * len(placed), picture_wh=PICTURE_WH)


def test_no_label() -> None:
    assert place() == []


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((200, 100, 400, 300), (200, 80)),  # above
        ((200, 0, 400, 300), (200, 300)),  # no room above: below
        ((200, 0, 400, 480), (200, 0)),  # nor below: inside, at the top
        ((600, 100, 640, 300), (540, 80)),  # not beyond the right edge
        ((0, 19.6, 10, 300), (0, 0)),  # as drawn, in whole pixels
    ],
)
def test_one_label(box: Box, expected: tuple[int, int]) -> None:
    assert place(box) == [expected]


def test_labels_of_one_box_make_room_for_each_other() -> None:
    box = (200, 100, 400, 300)
    assert place(*[box] * 8) == [
        (200, 80), (300, 80), (200, 300), (300, 300), (200, 100), (300, 100), (200, 280), (300, 280),
    ]  # fmt: skip


def test_without_room_the_place_that_covers_least() -> None:
    whole = (0, 0, 60, 20)
    assert place_labels([whole, whole], [(60, 20), (30, 10)], picture_wh=(60, 20)) == [(0, 0), (0, 0)]
    # The lower half of the picture is less covered than the upper.
    first, second = place_labels([whole, (0, 0, 60, 30)], [(60, 20), (60, 20)], picture_wh=(60, 30))
    assert (first, second) == ((0, 0), (0, 10))


def test_a_label_larger_than_the_picture_begins_where_it_does() -> None:
    assert place_labels([(5, 5, 9, 9)], [(100, 20)], picture_wh=(10, 10)) == [(0, 0)]


@given(st.lists(st.tuples(boxes, labels), max_size=8))
def test_labels_lie_inside_the_picture(drawn: list[tuple[Box, tuple[int, int]]]) -> None:
    sizes = [size for _, size in drawn]
    placed = place_labels([box for box, _ in drawn], sizes, picture_wh=PICTURE_WH)
    assert len(placed) == len(drawn)
    for (x, y), (width, height) in zip(placed, sizes, strict=True):
        assert 0 <= x <= PICTURE_WH[0] - width
        assert 0 <= y <= PICTURE_WH[1] - height


@given(st.lists(boxes, min_size=1, max_size=8))
def test_where_there_are_enough_places_no_label_covers_another(drawn: list[Box]) -> None:
    # Boxes far enough apart for every label to stay near its own: one in each cell of a grid, a label below its top.
    cells: dict[tuple[int, int], Box] = {}
    for x1, y1, x2, y2 in drawn:
        column, row = int(x1 // 214), int(y1 // 120)
        left, top = 214 * column, 120 * row
        highest = max(y1, top + LABEL_WH[1])
        cells[column, row] = (x1, highest, min(x2, left + 210), max(min(y2, top + 116), highest))
    placed = place(*cells.values())
    assert not any(overlap(one, other) for one, other in combinations(placed, 2))


@given(st.lists(boxes, max_size=8))
def test_later_labels_move_no_earlier_one(drawn: list[Box]) -> None:
    placed = place(*drawn)
    assert placed == place(*drawn)
    assert placed[:-1] == place(*drawn[:-1])
