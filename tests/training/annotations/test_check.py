import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dirdet_training.annotations.check import check, check_file
from dirdet_training.annotations.config_use import Use
from dirdet_training.annotations.errors import AnnotationError, ClassesError
from dirdet_training.annotations.findings import summary
from dirdet_training.annotations.records import read_coco, records_of
from dirdet_training.annotations.without_broken import csv_text, without_broken, write_copy

GOOD: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "a.png", "width": 100, "height": 80},
        {"id": 2, "file_name": "b/b.png", "width": 50, "height": 40},
    ],
    "annotations": [
        {"id": 7, "image_id": 1, "category_id": 10, "bbox": [5, 5, 20, 10], "area": 200, "iscrowd": 0},
        {"id": 8, "image_id": 2, "category_id": 20, "bbox": [0, 0, 50, 40], "area": 2000, "iscrowd": 0},
    ],
    "categories": [{"id": 10, "name": "cat"}, {"id": 20, "name": "dog"}],
}


@pytest.fixture
def folder(tmp_path):
    for image in GOOD["images"]:
        path = tmp_path / image["file_name"]
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (image["width"], image["height"])).save(path)
    return tmp_path


def changed(section, row=0, **fields):
    content = copy.deepcopy(GOOD)
    content[section][row].update(fields)
    return content


def checked(content, pictures=None, **options):
    """The report of a file with this content, and its kinds with their counts."""
    open_pictures = options.pop("open_pictures", False)
    path = Path("x.json")
    report = check(records_of(content, path), path, pictures, Use(**options), open_pictures=open_pictures)
    return report, {finding.kind.label: len(finding.rows) for finding in report.findings}


def test_a_good_file_has_no_findings(folder):
    report, kinds = checked(GOOD, folder, open_pictures=True, classes=("cat", "dog"), min_size=40)
    assert kinds == {}
    assert summary(report) == "x.json: 0 of 2 pictures and 0 of 2 annotations broken"


def test_nothing_at_all_is_not_broken():
    assert checked({"images": [], "annotations": [], "categories": []})[1] == {}
    assert checked({**GOOD, "annotations": []})[1] == {"empty-picture": 2, "empty-category": 2}
    assert checked({**GOOD, "images": []})[1] == {"unknown-picture": 2, "empty-category": 2}


BROKEN_ANNOTATIONS = [
    ({"image_id": 3}, "unknown-picture", "annotation 7 (picture 3)"),
    ({"category_id": 11}, "unknown-category", "annotation 7 (picture 1): category_id 11"),
    ({"bbox": [1, 1, float("nan"), 2]}, "not-finite", "annotation 7 (picture 1): bbox [1, 1, nan, 2]"),
    ({"bbox": [1, 1, float("inf"), 2]}, "not-finite", "inf"),
    ({"bbox": [float("inf"), 1, float("-inf"), 2]}, "not-finite", "inf"),
    ({"bbox": [1, 1, 10**400, 2]}, "not-finite", "annotation 7"),
    ({"area": float("nan")}, "not-finite", "area nan"),
    ({"bbox": [1, 1, 0, 2]}, "no-area", "annotation 7 (picture 1): bbox [1, 1, 0, 2]"),
    ({"bbox": [9, 9, -5, -5]}, "no-area", "bbox [9, 9, -5, -5]"),
    ({"area": 0}, "no-area", "area 0"),
    ({"bbox": [100, 0, 5, 5]}, "outside", "bbox [100, 0, 5, 5] in a picture of 100x80"),
    ({"bbox": [1, 2, 3]}, "record", "annotation 7 (place 0)"),
    ({"bbox": ["1", 2, 3, 4]}, "record", "bbox ['1', 2, 3, 4]"),
    ({"bbox": None}, "record", "bbox None"),
    ({"area": None}, "record", "area None"),
    ({"iscrowd": None}, "record", "iscrowd None"),
    ({"id": "x"}, "record", "annotation 'x'"),
    ({"id": 8}, "record-or-duplicate", "annotation 8"),
    ({"image_id": [1]}, "record", "image_id [1]"),
    ({"category_id": True}, "record", "category_id True"),
]


@pytest.mark.parametrize(("fields", "kind", "words"), BROKEN_ANNOTATIONS)
def test_a_broken_annotation_is_named(fields, kind, words):
    report, kinds = checked(changed("annotations", **fields))
    assert report.count("annotation") == 1
    expected = "duplicate-annotation" if kind == "record-or-duplicate" else kind
    assert {finding.kind.label for finding in report.broken} == {expected}
    assert kinds[expected] == 1
    assert words in summary(report)


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"file_name": "c.png"}, "missing-picture", "picture 1 (c.png) is not in"),
        ({"file_name": "b"}, "missing-picture", "picture 1 (b)"),
        ({"file_name": ""}, "picture-record", "file_name ''"),
        ({"file_name": None}, "picture-record", "file_name None"),
        ({"width": 0}, "picture-record", "width 0"),
        ({"height": "80"}, "picture-record", "height '80'"),
        ({"height": float("nan")}, "picture-record", "height nan"),
        ({"id": None}, "picture-record", "place 0"),
        ({"width": 80, "height": 100}, "picture-size", "stated 80x100, the file is 100x80, turned upright"),
        ({"file_name": "no.png"}, "unreadable-picture", "no.png cannot be read"),
    ],
)
def test_a_broken_picture_is_named_and_takes_its_annotations(folder, fields, kind, words):
    (folder / "no.png").write_bytes(b"no picture")
    report, kinds = checked(changed("images", **fields), folder, open_pictures=True)
    assert kinds[kind] == 1
    assert report.count("picture") == 1
    assert report.count("annotation") == 1, "the one in that picture"
    assert words in summary(report)


def test_a_second_picture_of_the_same_id_is_named():
    report, kinds = checked(changed("images", 1, id=1))
    assert kinds["duplicate-picture"] == 1
    assert "picture 1 (b/b.png)" in summary(report)
    assert kinds["unknown-picture"] == 1, "nobody is picture 2"


def test_a_second_record_of_one_file_is_noted(folder):
    for name in ("a.png", "./a.png", "b/../a.png"):
        report, kinds = checked(changed("images", 1, file_name=name), folder)
        assert kinds == {"same-file": 1}
        assert not report.broken


def test_a_picture_of_which_exif_says_it_lies_is_measured_upright(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 80)).save(folder / "turned.jpg", exif=exif)
    content = changed("images", file_name="turned.jpg", width=80, height=100)
    assert checked(content, folder, open_pictures=True)[1] == {}
    content = changed("images", file_name="turned.jpg")
    assert checked(content, folder, open_pictures=True)[1]["picture-size"] == 1


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"bbox": [90, 70, 20, 20]}, "clipped"),
        ({"bbox": [5, 5, 0.5, 20]}, "thin"),
        ({"ignore": 1}, "ignored"),
        ({"iscrowd": 1}, "crowd"),
        ({"id": 0}, "id-zero"),
    ],
)
def test_what_is_legitimate_is_noted_and_stays(fields, kind):
    report, kinds = checked(changed("annotations", **fields))
    assert kinds == {kind: 1}
    assert not report.broken
    assert report.used == (2, 1 if kind in {"thin", "ignored", "crowd"} else 2)
    assert without_broken(GOOD, report) == GOOD


def test_what_the_config_leaves_out_is_noted():
    report, kinds = checked(GOOD, classes=("dog",), min_size=45)
    assert kinds == {"unused-category": 1, "empty-picture": 1, "small-picture": 1}
    assert report.used == (1, 0)
    assert checked(GOOD, classes=("dog",), drops_empty=True)[0].used == (1, 1)
    assert "annotation 7: 'cat'" in summary(report, shown_notes=1)


def test_classes_must_be_there_and_their_order_is_told():
    with pytest.raises(ClassesError, match=r"'Dog' \(close: 'dog'\)"):
        checked(GOOD, classes=("cat", "Dog"))
    report, _ = checked(GOOD, classes=("dog", "cat"))
    assert report.order == (1, 0)
    assert [category["name"] for category in without_broken(GOOD, report)["categories"]] == ["dog", "cat"]
    assert checked(GOOD, classes=("cat", "dog"))[0].order is None
    with pytest.raises(ClassesError, match=r"'plane' \(the classes are cat, dog\)"):
        checked(GOOD, classes=("plane",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1", "is not JSON"),
        ("", "is not JSON"),
        ("\xff", "is not JSON"),
        ("[]", "is not COCO JSON: Expected `object`, got `array`"),
        ("{}", "missing required field `images`"),
        ('{"images": [3], "annotations": [], "categories": []}', r"\$\.images\[0\]"),
        ('{"images": [], "annotations": [NaN], "categories": []}', r"\$\.annotations\[0\]"),
        ('{"images": [], "annotations": [], "categories": [{"id": "1", "name": "x"}]}', r"\$\.categories\[0\]\.id"),
        (json.dumps({**GOOD, "categories": [*GOOD["categories"], {"id": 10, "name": "x"}]}), "have the id 10"),
        (json.dumps({**GOOD, "categories": [*GOOD["categories"], {"id": 3, "name": "dog"}]}), "have the name 'dog'"),
    ],
)
def test_what_is_not_coco_is_refused(tmp_path, text, words):
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(AnnotationError, match=words):
        read_coco(tmp_path / "x.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AnnotationError, match=r"nowhere\.json cannot be read"):
        read_coco(tmp_path / "nowhere.json")


def test_a_file_with_nan_is_read_and_its_annotation_named(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps(changed("annotations", bbox=[1, 1, float("nan"), 2])))
    assert "annotation 7 (picture 1): bbox [1, 1, nan, 2]" in summary(check_file(tmp_path / "x.json", None))


def test_only_the_first_few_are_shown():
    content = {**GOOD, "annotations": [{**GOOD["annotations"][0], "id": number, "area": 0} for number in range(1, 11)]}
    text = summary(checked(content)[0], shown=3)
    assert "10 annotations with no area" in text
    assert text.count("(picture 1): bbox") == 3
    assert "and 7 more" in text


def test_what_is_skipped_is_gone_and_listed(tmp_path):
    content = changed("annotations", bbox=[1, 1, float("nan"), 2], note="kept, not read")
    content["annotations"][1]["segmentation"] = [[0, 0, 50, 0, 50, 40]]
    (tmp_path / "x.json").write_text(json.dumps(content))
    report = check_file(tmp_path / "x.json", None)
    write_copy(report, copy=tmp_path / "work" / "x.json", skipped=tmp_path / "work" / "skipped.csv")
    assert json.loads((tmp_path / "work" / "x.json").read_text()) == {
        **GOOD,
        "annotations": [content["annotations"][1]],
    }
    lines = (tmp_path / "work" / "skipped.csv").read_text().splitlines()
    assert lines[0] == "kind,section,place,what"
    assert lines[1].startswith('not-finite,annotation,0,"annotation 7')
    assert len(lines) == 2
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"x.json", "skipped.csv"}


anything = st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.text(max_size=2)
values = anything | st.lists(anything, max_size=5) | st.lists(st.floats(-20, 120), min_size=4, max_size=4)
entries = st.dictionaries(
    st.sampled_from(["id", "image_id", "category_id", "bbox", "area", "iscrowd", "ignore"]), values
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["id", "file_name", "width", "height"]), values), max_size=4),
    st.lists(entries, max_size=6),
)
def test_whatever_a_file_holds_the_rest_is_sound(images, annotations):
    """Of good entries with some fields replaced by anything, what is not broken passes a second check."""
    content = {
        "images": [{**GOOD["images"][0], **image} for image in images],
        "annotations": [{**GOOD["annotations"][0], **annotation} for annotation in annotations],
        "categories": GOOD["categories"],
    }
    report, _ = checked(content)
    for section in ("picture", "annotation"):
        assert len(np.unique(report.rows(section))) == report.count(section), "each is broken in one way"
    assert csv_text(report).count("\n") >= 1 + report.count("picture") + report.count("annotation")
    again, _ = checked(without_broken(content, report))
    assert not again.broken
