"""Annotations of strangers: they reach only pictures in the folder that was named, run nothing and take no memory."""

import json
from pathlib import Path
from typing import Any

import pytest
from hostile_files import large_png
from measured import measured
from PIL import Image

from dirdet.cli import main
from dirdet.detection.rle import Rle
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.masks import read_masks
from dirdet_training.annotations.pictures import size_wh
from dirdet_training.annotations.tiles import Tiling, cut

OUTSIDE = ["../secret.png", "sub/../../secret.png", "../in-other/a.png", "SECRET"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture, and one beside it that is nobody's."""
    for name in ("in/a.png", "secret.png", "in-other/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    return tmp_path / "in"


def coco(folder: Path, name: str, **changed: Any) -> Path:
    """A COCO file in the folder, of one picture and one object."""
    name = name.replace("SECRET", str(folder.parent / "secret.png"))
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 16, 16], "area": 256, "iscrowd": 0}
    content = {
        "images": [{"id": 1, "file_name": name, "width": 64, "height": 48}],
        "annotations": [annotation | changed],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (folder / "x.json").write_text(json.dumps(content))
    return folder / "x.json"


def dirdet(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    return ended.value.code


@pytest.mark.parametrize("name", OUTSIDE)
def test_annotations_name_no_picture_outside_its_folder(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = coco(folder, name)
    assert dirdet("annotations", "check", path, "--pictures", folder, "--open-pictures") == 1
    assert "outside the pictures' folder" in capsys.readouterr().out
    out = folder / "out.json"
    for command in (
        ("convert", path, "--format", "coco", "--out", out),
        ("tiles", path, "--pictures", folder, "--out", folder / "tiles", "--ann-out", out),
    ):
        assert dirdet("annotations", *command) == 1
        assert "outside the pictures' folder" in capsys.readouterr().err
    assert not out.exists()


def test_pictures_says_otherwise(folder: Path) -> None:
    assert dirdet("annotations", "check", coco(folder, "SECRET"), "--pictures", "/", "--open-pictures") == 0


def test_no_picture_is_a_program(folder: Path) -> None:
    """Pillow gives PostScript to Ghostscript."""
    (folder / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(AnnotationError, match="expected a JPEG"):
        size_wh(folder / "a.png")
    for kind in ("images", "masks"):
        (folder / "b" / kind).mkdir(parents=True)
    Image.new("L", (64, 48)).save(folder / "b" / "images" / "b.png")
    (folder / "a.png").rename(folder / "b" / "masks" / "b.png")
    [fault] = read_masks(folder, folder).unreadable
    assert "expected a JPEG" in fault


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bbox": [1, 2, 0.001, 0.001]}, "would be resized to"),
        ({"segmentation": {"size": [48, 64], "counts": "oooooo3"}}, "no mask as run lengths of 64 x 48"),
        ({"segmentation": {"size": [60_000, 60_000], "counts": "00"}}, "no mask as run lengths of 64 x 48"),
        ({"segmentation": {"size": [48, 64], "counts": ""}}, "no mask as run lengths of 64 x 48"),
    ],
)
def test_tiles_take_no_memory(folder: Path, changed: dict[str, Any], words: str) -> None:
    path = coco(folder, "a.png", **{"segmentation": Rle((48, 64), "0PP3").to_json(), **changed})
    code = "from dirdet.cli import main; import sys; main(sys.argv[1:])"
    ended = measured(
        code, *("annotations", "tiles", path, "--pictures", folder, "--out", folder, "--ann-out", folder / "y.json")
    )
    assert ended.status == 1, ended.stderr
    assert words in ended.stderr
    assert ended.peak_mib < 256


@pytest.mark.parametrize("field", ["id", "file_name", "width"])
def test_tiles_and_splits_name_what_is_missing(folder: Path, field: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = coco(folder, "a.png")
    content = json.loads(path.read_text())
    del content["images"][0][field]
    path.write_text(json.dumps(content))
    tiles = ("tiles", path, "--pictures", folder, "--out", folder / "tiles", "--ann-out", folder / "y.json")
    for command in (tiles, ("split", path, "--part", "a=1")):
        assert dirdet("annotations", *command) == 1
        assert "broken entries" in capsys.readouterr().err


def test_training_decodes_no_more_than_other_commands(folder: Path) -> None:
    """OpenCV's own limit is a gigapixel: 3 GB of a file of some kilobytes."""
    (folder / "a.png").write_bytes(large_png(11_000))
    code = (
        "import sys; import dirdet_training.mm; import mmcv, cv2\n"
        "try: mmcv.imread(sys.argv[1])\n"
        "except cv2.error as exc: print(exc)"
    )
    ended = measured(code, folder / "a.png")
    assert "pixels" in ended.stdout, ended.stderr


def test_a_picture_that_lies_is_cut_upright(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("jpg", "tiff", "png"):
        Image.new("RGB", (48, 64)).save(folder / f"a.{kind}", exif=exif)
        assert size_wh(folder / f"a.{kind}") == (64, 48)
    path = coco(folder, "a.jpg", segmentation=Rle((48, 64), "0PP3").to_json())
    found = cut(json.loads(path.read_text()), folder, folder / "tiles", Tiling((999, 999), 1, (1, 99), 20))
    assert [picture.size_wh for picture in found.pictures] == [(64, 48)]
