import json
import subprocess
import sys

import pytest
from annotation_sets import CLASSES, HEIGHT, WIDTH, call, picture, voc, yolo
from click.testing import CliRunner
from globox import Annotation, AnnotationSet, BoundingBox
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dirdet_training.annotations.dataset import Converted, DrawnBox, Picture, to_coco
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.yolo import labels_of, parse_line, yolo_classes
from dirdet_training.commands.annotations import command


def boxes_of(path):
    content = json.loads(path.read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    return [
        (names[entry["category_id"]], *(round(value, 3) for value in entry["bbox"])) for entry in content["annotations"]
    ]


def test_voc_counts_pixels_from_one(tmp_path):
    voc(tmp_path, [("red", 1, 1, WIDTH, HEIGHT, 0), ("blue", 11, 21, 11, 21, 1)])
    result = call("convert", tmp_path, "--format", "voc", "--out", tmp_path / "train.json")
    assert result.exit_code == 0, result.output
    assert "1 picture, 2 annotations, classes blue, red" in result.stdout
    assert boxes_of(tmp_path / "train.json") == [("red", 0, 0, WIDTH, HEIGHT), ("blue", 10, 20, 1, 1)]
    content = json.loads((tmp_path / "train.json").read_text())
    assert content["images"] == [{"id": 1, "file_name": "JPEGImages/a.png", "width": WIDTH, "height": HEIGHT}]
    assert [entry["iscrowd"] for entry in content["annotations"]] == [0, 1], "the difficult one is passed over"
    assert "1 object marked `difficult`" in result.stderr
    assert call("check", tmp_path / "train.json", "--pictures", tmp_path, "--open-pictures").exit_code == 0


def test_voc_as_edges(tmp_path):
    voc(tmp_path, [("red", 0, 0, 20.5, 30, 0)])
    out = tmp_path / "train.json"
    call("convert", tmp_path, "--format", "voc", "--voc-corners", "edges", "--out", out)
    assert boxes_of(out) == [("red", 0, 0, 20.5, 30)]
    result = call("convert", tmp_path, "--format", "voc", "--out", out)
    assert "say --voc-corners edges" in result.stderr


def test_voc_without_objects_or_a_size(tmp_path):
    voc(tmp_path, [], width=0, height=0)
    (tmp_path / "classes.txt").write_text("red\n\n")
    out = tmp_path / "train.json"
    call("convert", tmp_path, "--format", "voc", "--classes", tmp_path / "classes.txt", "--out", out)
    content = json.loads(out.read_text())
    assert content["annotations"] == []
    assert (content["images"][0]["width"], content["images"][0]["height"]) == (WIDTH, HEIGHT), "the picture's own"


def test_a_list_chooses_pictures(tmp_path):
    for name in ("a", "b"):
        voc(tmp_path, [("red", 1, 1, 5, 5, 0)], name=name)
    (tmp_path / "train.txt").write_text("b -1\n")
    out = tmp_path / "train.json"
    call("convert", tmp_path, "--format", "voc", "--list", tmp_path / "train.txt", "--out", out)
    assert [image["file_name"] for image in json.loads(out.read_text())["images"]] == ["JPEGImages/b.png"]
    (tmp_path / "train.txt").write_text("c\n")
    with pytest.raises(AnnotationError, match="lacks 1 of the listed pictures: c"):
        call("convert", tmp_path, "--format", "voc", "--list", tmp_path / "train.txt", "--out", out)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (("rde", 1, 1, 5, 5, 0), r"a.xml, object 1: unknown class 'rde' (close: 'red')"),
        (("red", 9, 1, 5, 5, 0), "object 1: `xmax` must be greater than `xmin`"),
        (("red", "x", 1, 5, 5, 0), "object 1: Syntax error"),
        (("red", "nan", 1, 5, 5, 0), "object 1: `xmax`"),
    ],
)
def test_a_broken_voc_object_is_named(tmp_path, box, words):
    voc(tmp_path, [box, ("blue", 1, 1, 5, 5, 0)])
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    arguments = ("convert", tmp_path, "--format", "voc", "--classes", tmp_path / "classes.txt")
    result = CliRunner().invoke(command, [*map(str, arguments), "--out", str(tmp_path / "x.json")])
    assert isinstance(result.exception, AnnotationError)
    assert words in result.stderr
    assert not (tmp_path / "x.json").exists()
    assert call(*arguments, "--out", tmp_path / "x.json", "--skip-broken").exit_code == 0
    assert boxes_of(tmp_path / "x.json") == [("blue", 0, 0, 5, 5)]


def test_a_voc_box_outside_its_picture_is_named(tmp_path):
    voc(tmp_path, [("red", 200, 1, 205, 5, 0)])
    arguments = ["convert", str(tmp_path), "--format", "voc", "--out", str(tmp_path / "x.json")]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, AnnotationError)
    assert "in a picture of 96x64" in result.stderr


@pytest.mark.parametrize("damage", ["no xml", "<annotation><filename>b.png</filename></annotation>"])
def test_a_broken_voc_file_is_named(tmp_path, damage):
    voc(tmp_path, [("red", 1, 1, 5, 5, 0)])
    (tmp_path / "Annotations" / "b.xml").write_text(damage)
    arguments = ["convert", str(tmp_path), "--format", "voc", "--out", str(tmp_path / "x.json")]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, AnnotationError)
    assert "b.xml: " in result.stderr
    assert call(*arguments, "--skip-broken").exit_code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "a.xml: unknown encoding"),
        ("<annotation>", "a.xml: no element found"),
        (None, "a.xml, object 1: its class has no name"),
    ],
)
def test_why_no_voc_object_can_be_read_is_said(tmp_path, content, words):
    voc(tmp_path, [("", 1, 1, 5, 5, 0)])
    if content is not None:
        (tmp_path / "Annotations" / "a.xml").write_text(content)
    with pytest.raises(AnnotationError, match=f"names no classes: 1 entry cannot be read, the first .*{words}"):
        call("convert", tmp_path, "--format", "voc", "--out", tmp_path / "x.json")


def test_a_yolo_class_is_a_whole_number_also_as_numpy_writes_it(tmp_path):
    yolo(tmp_path, "1.0 0.5 0.5 1 1\n")
    assert call("convert", tmp_path, "--format", "yolo", "--out", tmp_path / "x.json").exit_code == 0
    assert boxes_of(tmp_path / "x.json") == [("red", 0, 0, 96, 64)]


def test_fields_of_a_coco_file_that_are_nested_too_deeply_are_named(tmp_path):
    deep = "[" * 100_000 + "]" * 100_000
    (tmp_path / "x.json").write_text(f'{{"images": [], "annotations": [], "categories": [], "info": {deep}}}')
    with pytest.raises(AnnotationError, match="recursion limit exceeded"):
        call("check", tmp_path / "x.json")


def test_yolo(tmp_path):
    yolo(tmp_path, "1 0.5 0.5 1 1\n\n0 0.25 0.25 0.25 0.5\n1 0 0 0.5 0 0.5 0.5\n")
    yolo(tmp_path, None, name="b")
    out = tmp_path / "train.json"
    result = call("convert", tmp_path, "--format", "yolo", "--out", out)
    assert result.exit_code == 0, result.output
    assert boxes_of(out) == [("red", 0, 0, 96, 64), ("blue", 12, 0, 24, 32), ("red", 0, 0, 48, 32)]
    assert [image["file_name"] for image in json.loads(out.read_text())["images"]] == [
        "images/train/a.png",
        "images/train/b.png",
    ]
    assert "1 of 2 pictures without a label file" in result.stderr
    assert call("check", out, "--pictures", tmp_path, "--open-pictures").exit_code == 0


@pytest.mark.parametrize(
    "line", ["2 0.5 0.5 1 1", "red 0.5 0.5 1 1", "0 0.5 0.5 1", "0 0.5 0.5 1 1 0.9", "0 a b c d", "0.5 0 0 1 1"]
)
def test_a_broken_yolo_line_is_named(tmp_path, line):
    yolo(tmp_path, f"0 0.5 0.5 1 1\n{line}\n")
    result = CliRunner().invoke(command, ["convert", str(tmp_path), "--format", "yolo", "--out", str(tmp_path / "x")])
    assert isinstance(result.exception, AnnotationError)
    assert "a.txt, line 2: " in result.stderr


def test_yolo_classes_come_from_what_is_there(tmp_path):
    with pytest.raises(AnnotationError, match="say --classes"):
        yolo_classes(tmp_path)
    (tmp_path / "obj.names").write_text("a\nb\n")
    assert yolo_classes(tmp_path) == ("a", "b")
    (tmp_path / "data.yaml").write_text("names: [c, d]")
    assert yolo_classes(tmp_path) == ("c", "d")
    (tmp_path / "data.yaml").write_text("names: {1: c}")
    with pytest.raises(AnnotationError, match="numbered from 0"):
        yolo_classes(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [c, c]")
    with pytest.raises(AnnotationError, match="'c' twice"):
        yolo_classes(tmp_path)


def test_labels_lie_beside_the_last_images_folder_or_the_picture(tmp_path):
    path = tmp_path / "images" / "images" / "a.jpg"
    assert labels_of(path) is None
    path.parent.mkdir(parents=True)
    path.with_suffix(".txt").touch()
    assert labels_of(path) == path.with_suffix(".txt")
    (tmp_path / "images" / "labels").mkdir()
    (tmp_path / "images" / "labels" / "a.txt").touch()
    assert labels_of(path) == tmp_path / "images" / "labels" / "a.txt"


def test_coco_is_completed(tmp_path):
    (tmp_path / "in.json").write_text(
        json.dumps(
            {
                "info": {"kept": True},
                "images": [{"id": 0, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
                "annotations": [{"id": 0, "image_id": 0, "category_id": 0, "bbox": [1, 2, 3, 4], "note": "kept"}],
                "categories": [{"id": 0, "name": "red"}],
            }
        )
    )
    picture(tmp_path / "a.png")
    assert call("check", tmp_path / "in.json").exit_code == 1
    result = call("convert", tmp_path / "in.json", "--format", "coco", "--out", tmp_path / "out.json")
    assert "area added to 1 annotation" in result.stderr
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["info"] == {"kept": True}
    expected = {
        "id": 1,
        "image_id": 0,
        "category_id": 0,
        "bbox": [1, 2, 3, 4],
        "note": "kept",
        "iscrowd": 0,
        "area": 12,
    }
    assert content["annotations"] == [expected]
    assert call("check", tmp_path / "out.json", "--pictures", tmp_path).exit_code == 0


def test_check_says_what_is_broken(tmp_path):
    yolo(tmp_path, "0 0.5 0.5 1 1\n")
    out = tmp_path / "train.json"
    call("convert", tmp_path, "--format", "yolo", "--out", out)
    (tmp_path / "images" / "train" / "a.png").unlink()
    result = call("check", out, "--pictures", tmp_path)
    assert result.exit_code == 1
    assert "picture 1 (images/train/a.png) is not in" in result.stdout
    result = call("check", out, "--classes", tmp_path / "train.json")
    assert result.exit_code == 0, "the pictures were not asked for"
    assert call("check", out, "--open-pictures").exit_code == 2


@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_nothing_to_convert(tmp_path, kind):
    (tmp_path / "data.yaml").write_text("names: [a]")
    with pytest.raises(AnnotationError, match="there are no"):
        call("convert", tmp_path, "--format", kind, "--out", tmp_path / "x.json")
    with pytest.raises(AnnotationError, match="nowhere"):
        call("convert", tmp_path / "nowhere", "--format", kind, "--out", tmp_path / "x.json")


corner = st.floats(0, 90, allow_nan=False)
extent = st.floats(1, 60, allow_nan=False)
drawn = st.lists(st.tuples(st.sampled_from(CLASSES), corner, corner, extent, extent), max_size=5)


@given(drawn)
def test_coco_yolo_coco_keeps_boxes(tmp_path_factory, boxes):
    """Written by the library from our COCO, read by us from its text."""
    folder = tmp_path_factory.mktemp("round")
    found = tuple(DrawnBox(label, (x, y, x + width, y + height)) for label, x, y, width, height in boxes)
    content = to_coco(Converted((Picture("a.jpg", (200, 150), found),), CLASSES, ()))
    (folder / "coco.json").write_text(json.dumps(content))
    [written] = AnnotationSet.from_coco(folder / "coco.json") if boxes else [Annotation("a.jpg", (200, 150))]
    text = written.to_yolo_v5(label_to_id={name: number for number, name in enumerate(CLASSES)})
    again = [parse_line(line, (200, 150), CLASSES) for line in text.splitlines()]
    assert [box.label for box in again] == [box.label for box in found]
    for before, after in zip(found, again, strict=True):
        assert after.box_xyxy == pytest.approx(before.box_xyxy, abs=1e-9)


@given(drawn)
def test_voc_keeps_boxes(tmp_path_factory, boxes):
    """Written by the library, whose coordinates are edges."""
    folder = tmp_path_factory.mktemp("round")
    picture(folder / "a.png")
    kept = [
        BoundingBox.create(label=label, coords=(x * 0.4, y * 0.3, x * 0.4 + width, y * 0.3 + height / 2))
        for label, x, y, width, height in boxes
    ]
    Annotation("a.png", (WIDTH, HEIGHT), kept).save_xml(folder / "a.xml")
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    out = folder / "out.json"
    arguments = ("--classes", folder / "classes.txt", "--voc-corners", "edges", "--out", out)
    assert call("convert", folder, "--format", "voc", *arguments).exit_code == 0
    again = json.loads(out.read_text())["annotations"]
    assert [CLASSES[entry["category_id"] - 1] for entry in again] == [box.label for box in kept]
    for before, after in zip(kept, again, strict=True):
        assert after["bbox"] == pytest.approx(before.ltwh, abs=1e-9)


@given(st.text(max_size=30))
def test_any_line_is_a_box_or_refused(line):
    try:
        box = parse_line(line, (100, 80), CLASSES)
    except AnnotationError:
        return
    assert box.label in CLASSES


def test_annotations_need_no_torch():
    code = (
        "import sys, dirdet_training.commands.annotations; print({'torch', 'mmdet', 'mmengine'} & sys.modules.keys())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "set()"


POSE = "1 0.5 0.5 0.2 0.4 " + "0.1 0.9 2 " * 3


def test_the_lines_of_each_yolo_task_are_read_by_its_rule():
    """In a picture of 100x50: keypoints may lie outside the box; polygons and turned boxes give the box around them."""
    pose = parse_line(POSE, (100, 50), CLASSES, keypoint_numbers=9)
    assert pose.box_xyxy == pytest.approx((40, 15, 60, 35))
    assert parse_line("1 0.5 0.5 0.2 0.4", (100, 50), CLASSES, keypoint_numbers=9) == pose
    turned = parse_line("1 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5", (100, 50), CLASSES)
    assert turned.box_xyxy == pytest.approx((10, 5, 90, 45))
    with pytest.raises(AnnotationError, match="4 numbers, or these and 6 numbers of keypoints"):
        parse_line(POSE, (100, 50), CLASSES, keypoint_numbers=6)


def test_a_yolo_data_set_with_keypoints_and_parts(tmp_path):
    """Roboflow writes `../` before the folders, which Ultralytics leaves out where the folder does not exist."""
    for part in ("train", "valid"):
        (tmp_path / part / "images").mkdir(parents=True)
        (tmp_path / part / "labels").mkdir()
        Image.new("RGB", (100, 50)).save(tmp_path / part / "images" / f"{part}.png")
        (tmp_path / part / "labels" / f"{part}.txt").write_text(POSE)
    names = "names: [cat, dog]\nkpt_shape: [3, 3]\n"
    (tmp_path / "data.yaml").write_text(f"{names}train: ../train/images\nval: ../valid/images\ntest: ../test/images\n")
    out = tmp_path / "x.json"
    call("convert", tmp_path, "--format", "yolo", "--part", "val", "--out", out)
    content = json.loads(out.read_text())
    assert [image["file_name"] for image in content["images"]] == ["valid.png"]
    assert content["annotations"][0]["bbox"] == pytest.approx([40, 15, 20, 20])
    together = call("convert", tmp_path, "--format", "yolo", "--out", out)
    assert "the parts train, val, test are read together" in together.stderr

    for options, words in (
        (["--part", "test"], "the folder of `test`"),
        (["--part", "val", "--pictures", "."], "--pictures has no effect with --part val"),
        (["--label", "x"], "--label has no effect with --format yolo"),
    ):
        arguments = ["convert", str(tmp_path), "--format", "yolo", "--out", str(out), *options]
        result = CliRunner().invoke(command, arguments)
        assert words in f"{result.output}{result.exception}"
    (tmp_path / "data.yaml").write_text("names: [cat, dog]\nkpt_shape: 17\n")
    with pytest.raises(AnnotationError, match=r"expected `kpt_shape` to be a number of .*, found '17'"):
        call("convert", tmp_path, "--format", "yolo", "--out", out)
