"""Pictures of whatever names: none overwrites another's files, none leads out of the folder."""

from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dirdet.batch.outputs.places import claim, create, place_of
from dirdet.client import ImageResult
from dirdet.convert import to_voc, to_yolo, yolo_yaml
from dirdet.detection import Detection

parts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.sampled_from(
    [
        "a",
        "a.png",
        "a.jpg",
        "a.txt",
        "a.png.txt",
        "..",
        ".",
        "",
        "A.PNG",
        "x" * 300 + ".png",
        "語" * 90,
        "a~2.png",
        "CON",
    ]
)
names = st.lists(parts, min_size=1, max_size=4).map("/".join)


@given(st.lists(names, min_size=1, max_size=12, unique=True))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_two_pictures_get_one_place(found: list[str]) -> None:
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "out"
        places: set[PurePosixPath] = set()
        for position, name in enumerate(found):

            def make(place: PurePosixPath, name: str = name) -> None:
                create(folder / place.with_suffix(".txt"), name.encode())

            place = claim(name, position, make)
            assert not place.is_absolute()
            assert ".." not in place.parts
            places.add(place.with_suffix(".txt"))
            assert (folder / place.with_suffix(".txt")).read_bytes() == name.encode()
        assert len(places) == len(found)
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == set(
            map(str, places)
        )
        assert [each.name for each in Path(scratch).iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a/b.png", "a/b.png"),
        ("сова/梟 🦉.png", "сова/梟 🦉.png"),
        ("/data/a.png", "data/a.png"),
        ("../a/./b.png", "__/a/b.png"),
        ("two\nlines.png", "two%0alines.png"),
        ("C:\\a\\b.png", "C%3a%5ca%5cb.png"),
        ("con/AUX.tar.gz", "con_/AUX_.tar.gz"),
        ("com1", "com1_"),
        ("console.png", "console.png"),
        ("dots.../spaces ", "dots..%2e/spaces%20"),
        ("a.png:stream", "a.png%3astream"),
        ("100%~.png", "100%~.png"),
    ],
)
def test_places_are_the_names_where_they_can_be(name: str, place: str) -> None:
    assert str(place_of(name)) == place


sides = st.integers(1, 20_000)


@given(sides, sides, st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=5))
def test_yolo_and_voc_keep_boxes_to_a_hundredth(width: int, height: int, boxes: list[tuple[float, ...]]) -> None:
    found = tuple(_detection(box, width, height) for box in boxes)
    result = ImageResult("a.png", width, height, found)
    for line, each in zip(to_yolo(result).splitlines(), found, strict=True):
        x, y, w, h = (float(word) for word in line.split()[1:])
        assert 0 <= min(x, y, w, h) <= max(x, y, w, h) <= 1
        told = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        assert told == pytest.approx(each.box_xyxy, abs=0.01)
    for node, each in zip(ElementTree.fromstring(to_voc(result)).iter("bndbox"), found, strict=True):
        x1, y1, x2, y2 = each.box_xyxy
        read = {side: float(node.findtext(side, "")) for side in ("xmin", "ymin", "xmax", "ymax")}
        assert (read["xmax"], read["ymax"]) == pytest.approx((x2, y2), abs=0.01)
        assert read["xmin"] <= read["xmax"]
        assert read["ymin"] <= read["ymax"]
        if x2 - x1 >= 1:
            assert read["xmin"] - 1 == pytest.approx(x1, abs=0.01)
        if y2 - y1 >= 1:
            assert read["ymin"] - 1 == pytest.approx(y1, abs=0.01)


@given(names, st.text())
def test_voc_and_yaml_say_any_name(name: str, label: str) -> None:
    each = replace(_detection((0, 0, 1, 1), 10, 10), label=label)
    root = ElementTree.fromstring(to_voc(ImageResult(name, 10, 10, (each,), detector="d"), path=name))
    assert "/" not in root.findtext("filename", "")
    printable = "".join(letter for letter in label if letter.isprintable())
    assert yaml.safe_load(yolo_yaml([printable]))["names"] == {0: printable}


def _detection(box: tuple[float, ...], width: int, height: int) -> Detection:
    a, b, c, d = box
    x1, x2 = sorted((round(a * width, 2), round(c * width, 2)))
    y1, y2 = sorted((round(b * height, 2), round(d * height, 2)))
    return Detection(box_xyxy=(x1, y1, x2, y2), label="bird", class_id=0, category_id=1, score=0.5, confidence=0.5)
