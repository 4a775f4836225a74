import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.masks import read_masks
from dirdet_training.annotations.split import split
from dirdet_training.annotations.tiles import Tiling, cut
from dirdet_training.commands.annotations import command

WIDTH, HEIGHT = 40, 24


def call(*arguments):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def masked(folder, name, boxes, *, size_wh=(WIDTH, HEIGHT), ext="png"):
    """A picture of the format, with a filled box for each object: x1, y1, x2, y2."""
    for part in ("images", "masks"):
        (folder / name / part).mkdir(parents=True)
    Image.new("RGB", size_wh, (9, 9, 9)).save(folder / name / "images" / f"{name}.{ext}")
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        mask = Image.new("L", size_wh)
        mask.paste(255, (x1, y1, x2, y2))
        mask.save(folder / name / "masks" / f"{number}.png")
    return folder


def test_masks_become_boxes_and_run_lengths(tmp_path):
    masked(tmp_path / "in", "b", [(3, 4, 10, 12), (0, 0, WIDTH, HEIGHT)])
    masked(tmp_path / "in", "a", [])
    out = tmp_path / "all.json"
    result = call("convert", tmp_path / "in", "--format", "masks", "--label", "nucleus", "--out", out)
    assert "2 pictures, 2 annotations, classes nucleus" in result.stdout
    content = json.loads(out.read_text())
    assert [image["file_name"] for image in content["images"]] == ["a/images/a.png", "b/images/b.png"]
    first, whole = content["annotations"]
    assert first["bbox"] == [3, 4, 7, 8]
    assert first["area"] == 56
    assert whole["bbox"] == [0, 0, WIDTH, HEIGHT]
    decoded = coco_mask.decode(first["segmentation"])
    assert decoded.shape == (HEIGHT, WIDTH)
    assert decoded[4:12, 3:10].all()
    assert decoded.sum() == 56
    assert call("check", out, "--pictures", tmp_path / "in", "--open-pictures").exit_code == 0


def test_a_list_names_folders(tmp_path):
    for name in ("a", "b"):
        masked(tmp_path / "in", name, [(1, 1, 3, 3)])
    (tmp_path / "some.txt").write_text("b\n")
    out = tmp_path / "x.json"
    call("convert", tmp_path / "in", "--format", "masks", "--list", tmp_path / "some.txt", "--out", out)
    assert [image["file_name"] for image in json.loads(out.read_text())["images"]] == ["b/images/b.png"]
    (tmp_path / "some.txt").write_text("c\n")
    with pytest.raises(AnnotationError, match="lacks 1 of the listed pictures: c"):
        call("convert", tmp_path / "in", "--format", "masks", "--list", tmp_path / "some.txt", "--out", out)


def damage_no_picture(folder):
    (folder / "a" / "images" / "a.png").unlink()


def damage_empty_mask(folder):
    Image.new("L", (WIDTH, HEIGHT)).save(folder / "a" / "masks" / "1.png")


def damage_other_size(folder):
    Image.new("L", (WIDTH + 1, HEIGHT), 255).save(folder / "a" / "masks" / "1.png")


def damage_no_mask_file(folder):
    (folder / "a" / "masks" / "1.png").write_text("no picture")


@pytest.mark.parametrize(
    ("damage", "words", "left"),
    [
        (damage_no_picture, "a: images/ holds 0 pictures, expected 1", 1),
        (damage_empty_mask, "1.png: the mask is empty", 2),
        (damage_other_size, "1.png: the mask is 41x24, its picture 40x24", 2),
        (damage_no_mask_file, "1.png: the mask cannot be read", 2),
    ],
)
def test_what_is_broken_is_named(tmp_path, damage, words, left):
    folder = masked(tmp_path / "in", "a", [(1, 1, 5, 5)])
    masked(folder, "b", [(1, 1, 5, 5)])
    damage(folder)
    arguments = ["convert", str(folder), "--format", "masks", "--out", str(tmp_path / "x.json")]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, AnnotationError)
    assert words in result.stderr
    assert not (tmp_path / "x.json").exists()
    assert call(*arguments, "--skip-broken").exit_code == 0
    assert len(json.loads((tmp_path / "x.json").read_text())["annotations"]) == left


def test_no_folder_of_masks_is_said(tmp_path):
    with pytest.raises(AnnotationError, match="no folders NAME/images below"):
        read_masks(tmp_path, tmp_path)
    with pytest.raises(AnnotationError, match="does not exist"):
        read_masks(tmp_path / "none", tmp_path)


def coco(count):
    size, box = {"width": 9, "height": 9}, {"bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}
    images = [{"id": number, "file_name": f"{number}.png", **size} for number in range(1, count + 1)]
    annotations = [{"id": number, "image_id": number, "category_id": 1, **box} for number in range(1, count + 1)]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]}


@given(st.integers(4, 60), st.integers(0, 5))
def test_a_split_gives_every_picture_to_one_part(count, seed):
    content = coco(count)
    parts = split(content, {"train": 0.5, "val": 0.25, "test": 0.25}, seed=seed)
    ids = [image["id"] for part in parts.values() for image in part["images"]]
    assert sorted(ids) == list(range(1, count + 1))
    assert abs(len(parts["train"]["images"]) - count / 2) <= 1
    for part in parts.values():
        assert [entry["image_id"] for entry in part["annotations"]] == [image["id"] for image in part["images"]]
    shuffled = {**content, "images": content["images"][::-1]}
    again = split(shuffled, {"train": 0.5, "val": 0.25, "test": 0.25}, seed=seed)
    assert {i["id"] for i in again["val"]["images"]} == {i["id"] for i in parts["val"]["images"]}, "names alone decide"


def test_a_split_says_what_it_cannot_do(tmp_path):
    with pytest.raises(AnnotationError, match="1 picture: too few, none is left for val"):
        split(coco(1), {"train": 0.9, "val": 0.1}, seed=0)
    with pytest.raises(AnnotationError, match="share of train must be above 0"):
        split(coco(3), {"train": 0.0, "val": 0.1}, seed=0)
    (tmp_path / "all.json").write_text(json.dumps(coco(10)))
    assert "each NAME once, not 'a=1'" in call("split", tmp_path / "all.json", "--part", "a=1", "--part", "a=1").stderr
    assert "not '../a=1'" in call("split", tmp_path / "all.json", "--part", "../a=1").stderr
    call("split", tmp_path / "all.json", "--part", "a=0.5", "--part", "b=0.5")
    assert len(json.loads((tmp_path / "b.json").read_text())["images"]) == 5


@given(st.integers(1, 900), st.integers(1, 900), st.integers(0, 5))
def test_tiles_lie_inside_and_apart(width, height, most):
    tiling = Tiling((160, 128), most=most)
    windows = tiling.windows((width, height))
    assert 1 <= len(windows) <= (most or 100)
    assert len(set(windows)) == len(windows)
    for left, top, right, bottom in windows:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (right - left, bottom - top) == (min(width, 160), min(height, 128))
    whole = Tiling((160, 128)).windows((width, height))
    seen = np.zeros((height, width), int)
    for left, top, right, bottom in whole:
        seen[top:bottom, left:right] += 1
    assert seen.max() == 1


def test_tiles_show_what_of_the_masks_is_in_them(tmp_path):
    # A disk across both tiles: the box of a part is that of its pixels, not the part of the box.
    folder = masked(tmp_path / "in", "a", [(38, 2, 41, 5)], size_wh=(80, 20))
    rows, columns = np.mgrid[:20, :80]
    disk = (columns - 35) ** 2 + (rows - 10) ** 2 <= 81
    Image.fromarray((disk * 255).astype(np.uint8)).save(folder / "a" / "masks" / "disk.png")
    call("convert", folder, "--format", "masks", "--out", tmp_path / "all.json")
    call("tiles", tmp_path / "all.json", "--pictures", folder, "--out", tmp_path / "tiles",
         "--ann-out", tmp_path / "tiles.json", "--tile", 40, 20, "--usual", 1, 100)  # fmt: skip
    content = json.loads((tmp_path / "tiles.json").read_text())
    assert [(i["file_name"], i["width"], i["height"]) for i in content["images"]] == [
        ("1_0.png", 80, 40),
        ("1_1.png", 80, 40),
    ]
    told = {(a["image_id"], tuple(a["bbox"]), a["iscrowd"]) for a in content["annotations"]}
    right = disk[:, 40:]
    assert 0.1 < right.sum() / disk.sum() < 0.25, "the sliver"
    high = 2 * np.flatnonzero(right.any(1))[[0, -1]]
    assert told == {
        (1, (2 * 26, 2, 28, 38), 0),
        (2, (0, int(high[0]), 10, int(high[1] - high[0]) + 2), 1),
        (1, (76, 4, 4, 6), 0),
        (2, (0, 4, 2, 6), 0),
    }
    assert call("check", tmp_path / "tiles.json", "--pictures", tmp_path / "tiles", "--open-pictures").exit_code == 0


@pytest.mark.parametrize(("side", "expected"), [(5, 4.0), (20, 1.0), (50, 0.4)])
def test_a_picture_of_small_or_large_objects_is_resized_first(tmp_path, side, expected):
    folder = masked(tmp_path / "in", "a", [(10, 10, 10 + side, 10 + side)], size_wh=(200, 200))
    call("convert", folder, "--format", "masks", "--out", tmp_path / "all.json")
    call("tiles", tmp_path / "all.json", "--pictures", folder, "--out", tmp_path / "tiles", "--tile", 9999, 9999,
         "--ann-out", tmp_path / "tiles.json", "--enlarged", 1)  # fmt: skip
    content = json.loads((tmp_path / "tiles.json").read_text())
    assert content["images"][0]["width"] == 200 * expected
    assert content["annotations"][0]["bbox"] == [10 * expected, 10 * expected, side * expected, side * expected]


def test_tiles_need_masks(tmp_path):
    folder = masked(tmp_path / "in", "a", [(1, 1, 5, 5)])
    call("convert", folder, "--format", "masks", "--out", tmp_path / "all.json")
    content = json.loads((tmp_path / "all.json").read_text())
    del content["annotations"][0]["segmentation"]
    (tmp_path / "all.json").write_text(json.dumps(content))
    arguments = [
        "tiles",
        tmp_path / "all.json",
        "--pictures",
        folder,
        "--out",
        tmp_path / "t",
        "--ann-out",
        tmp_path / "t.json",
    ]
    with pytest.raises(AnnotationError, match=r"annotation 1 of .* has no mask as run lengths"):
        call(*arguments)
    assert "expected --tile" in call(*arguments, "--wanted", 99).stderr


@pytest.mark.parametrize(
    ("picture_id", "file_name"), [("../../evil", "1.png"), (True, "1.png"), (1, "../1.png"), (1, "/etc/hostname")]
)
def test_tiles_stay_in_their_folder_and_below_the_pictures(tmp_path, picture_id, file_name):
    image = {"id": picture_id, "file_name": file_name, "width": 8, "height": 8}
    content = {"images": [image], "annotations": [], "categories": []}
    with pytest.raises(AnnotationError, match="expected a whole number and a name below"):
        cut(content, tmp_path / "pictures", tmp_path / "out" / "tiles", Tiling())
    assert list((tmp_path / "out" / "tiles").iterdir()) == []
