"""Pictures, their annotations and lists find each other by whole paths; what is not clear is reported."""

import json

import pytest
from annotation_sets import call, picture, voc, yolo
from hypothesis import given
from hypothesis import strategies as st

from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.lists import chosen, without_suffix
from dirdet_training.annotations.yolo import labels_of

BOX = "1 0.5 0.5 0.5 0.5\n"


def converted(source, out, *options):
    call("convert", source, "--out", out, *options)
    content = json.loads(out.read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    return set(names.values()), [names[entry["image_id"]] for entry in content["annotations"]]


def roboflow(folder):
    """Pictures of equal names in two folders, each with a box."""
    for part in ("train", "valid"):
        for name in ("0", "img_000_jpg.rf.0f3a", "a b"):
            picture(folder / part / "images" / f"{name}.jpg")
            (folder / part / "labels").mkdir(exist_ok=True)
            (folder / part / "labels" / f"{name}.txt").write_text(BOX)
    (folder / "data.yaml").write_text("names: {0: blue, 1: red}\n")
    return folder


@pytest.mark.parametrize(
    "lines",
    [
        ["./train/images/0.jpg", "train/images/img_000_jpg.rf.0f3a.jpg", "../train/images/a b.jpg"],
        ["train/images/0", "train/images/img_000_jpg.rf.0f3a", "train\\images\\a b"],
    ],
)
def test_a_list_of_paths_takes_these_and_no_others(tmp_path, lines):
    source = roboflow(tmp_path / "set")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    found, boxed = converted(source, tmp_path / "out.json", "--format", "yolo", "--list", tmp_path / "list.txt")
    wanted = {f"train/images/{name}.jpg" for name in ("0", "img_000_jpg.rf.0f3a", "a b")}
    assert found == set(boxed) == wanted


def test_a_name_that_two_have_is_reported(tmp_path):
    source = roboflow(tmp_path / "set")
    (tmp_path / "list.txt").write_text("0.jpg\n")
    with pytest.raises(AnnotationError, match=r"'0\.jpg' may be .*train/images/0\.jpg and .*valid.*list whole paths"):
        call("convert", source, "--format", "yolo", "--list", tmp_path / "list.txt", "--out", tmp_path / "out.json")
    (tmp_path / "list.txt").write_text("test/images/0.jpg\n")
    with pytest.raises(AnnotationError, match=r"lacks 1 of the listed pictures: test/images/0\.jpg"):
        call("convert", source, "--format", "yolo", "--list", tmp_path / "list.txt", "--out", tmp_path / "out.json")


def test_a_list_in_utf16_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes("0.jpg".encode("utf-16"))
    with pytest.raises(AnnotationError, match="UTF-16"):
        call("convert", tmp_path, "--format", "yolo", "--list", tmp_path / "list.txt", "--out", tmp_path / "out.json")


NAMES = st.text("ab.1 é_-@", min_size=1, max_size=6).map(lambda text: f"x{text}x")


@given(names=st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=8, unique=True), picked=st.data())
def test_any_whole_path_names_one_file(names, picked, tmp_path_factory):
    top = tmp_path_factory.getbasetemp()
    files = [top / folder / f"{name}.jpg" for folder, name in names]
    folder, name = picked.draw(st.sampled_from(names))
    line = picked.draw(
        st.sampled_from([f"{folder}/{name}.jpg", f"./{folder}/{name}", str(top / folder / f"{name}.jpg")])
    )
    assert chosen(files, (line,), top) == [top / folder / f"{name}.jpg"]


def test_only_a_pictures_or_labels_suffix_is_one():
    assert [without_suffix(name) for name in ("a.JPG", "a.xml", "film.mp4@0.200s", "a.rf.0f3a")] == [
        *("a", "a"),
        *("film.mp4@0.200s", "a.rf.0f3a"),
    ]


def test_two_pictures_of_one_label_file_are_reported(tmp_path):
    yolo(tmp_path, BOX)
    picture(tmp_path / "images" / "train" / "a.jpg")
    with pytest.raises(AnnotationError, match="broken entries"):
        call("convert", tmp_path, "--format", "yolo", "--out", tmp_path / "out.json")
    found, boxed = converted(tmp_path, tmp_path / "out.json", "--format", "yolo", "--skip-broken")
    assert found == set(boxed) == {"images/train/a.jpg"}


def test_two_annotations_of_one_picture_are_reported(tmp_path):
    voc(tmp_path, [("red", 1, 1, 5, 5, 0)])
    (tmp_path / "Annotations" / "b.xml").write_bytes((tmp_path / "Annotations" / "a.xml").read_bytes())
    result = call("convert", tmp_path, "--format", "voc", "--out", tmp_path / "out.json", "--skip-broken")
    assert "is also that of" in result.stderr
    assert len(json.loads((tmp_path / "out.json").read_text())["images"]) == 1


def test_labels_follow_ultralytics_rule(tmp_path):
    """`img2label_paths`: the last `/images/` of a path becomes `/labels/`."""
    for name, labels in (("images/a.jpg", "labels/a.txt"), ("images/images/a.jpg", "images/labels/a.txt")):
        picture(tmp_path / name)
        (tmp_path / labels).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / labels).write_text(BOX)
        assert labels_of(tmp_path / name) == tmp_path / labels


@pytest.mark.parametrize("encoding", ["GB2312", "gbk", "Shift_JIS", "windows-1251", "utf-16"])
def test_xml_in_any_encoding(tmp_path, encoding):
    label = {"Shift_JIS": "犬", "windows-1251": "сова"}.get(encoding, "猫")
    voc(tmp_path, [(label, 1, 1, 5, 5, 0)])
    path = tmp_path / "Annotations" / "a.xml"
    text = f"<?xml version='1.0' encoding='{encoding}'?>\n{path.read_text(encoding='utf-8')}"
    path.write_bytes(text.encode(encoding))
    call("convert", tmp_path, "--format", "voc", "--out", tmp_path / "out.json")
    assert [each["name"] for each in json.loads((tmp_path / "out.json").read_text())["categories"]] == [label]


@pytest.mark.parametrize("head", ["encoding='klingon'", "encoding='gb2312'", "encoding='hex'"])
def test_xml_that_cannot_be_read_is_skipped_alone(tmp_path, head):
    voc(tmp_path, [("red", 1, 1, 5, 5, 0)])
    voc(tmp_path, [("red", 1, 1, 5, 5, 0)], name="b")
    data = (tmp_path / "Annotations" / "b.xml").read_bytes()
    (tmp_path / "Annotations" / "b.xml").write_bytes(
        f"<?xml version='1.0' {head}?>".encode() + b"<!--\xff\xff-->" + data
    )
    found, _ = converted(tmp_path, tmp_path / "out.json", "--format", "voc", "--skip-broken")
    assert found == {"JPEGImages/a.png"}
