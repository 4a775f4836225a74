"""Formats that a job is written in: what their tools read is what the job found."""

import csv
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from jobs import RectangleJob, rows
from PIL import Image, ImageOps
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dirdet.batch.outputs.request import FORMATS, Annotate, annotate_asked
from dirdet.batch.outputs.write import stale_lines
from dirdet.errors import ParameterError

JobOf = Callable[[Path | str], RectangleJob]
NAMES = ["a/p.png", "b/p.jpg", "b/p.png", "turned сова 🦉.jpg"]
SIZES = {"a/p.png": (640, 480), "b/p.jpg": (20, 20), "b/p.png": (320, 240), "turned сова 🦉.jpg": (640, 480)}


def boxes_of(out: Path) -> dict[str, list[list[float]]]:
    """Of the job itself, by picture."""
    found: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    for row in rows(out, "detections"):
        found[row["picture"]].append([row[side] for side in ("x1", "y1", "x2", "y2")])
    return found


def yolo_boxes(path: Path, size_wh: tuple[int, int]) -> list[list[float]]:
    lines = [[float(word) for word in line.split()] for line in path.read_text().splitlines()]
    width, height = size_wh
    return [
        [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
        for _, x, y, w, h, *_ in lines
    ]


def tasks_of(out: Path) -> list[dict[str, Any]]:
    files = sorted((out / "label-studio").glob("tasks-*.json"))
    return [task for file in files for task in json.loads(file.read_text())]


def test_coco_is_loaded_and_says_what_was_found(job_of: JobOf, scenes: Path) -> None:
    out, *_ = done = job_of(scenes)
    done.write(formats=("coco", "coco-results"))
    truth = COCO(str(out / "coco" / "labels.json"))
    images = truth.loadImgs(truth.getImgIds())
    assert {each["file_name"]: (each["width"], each["height"]) for each in images} == SIZES
    assert [each["name"] for each in truth.loadCats(truth.getCatIds())] == ["red", "green", "blue"]
    expected = boxes_of(out)
    for image in images:
        found = truth.loadAnns(truth.getAnnIds(image["id"]))
        sides = [(x, y, x + w, y + h) for x, y, w, h in (each["bbox"] for each in found)]
        np.testing.assert_allclose(
            np.reshape(sides, (-1, 4)), np.reshape(expected[image["file_name"]], (-1, 4)), atol=0.01
        )
        for each in found:
            mask = truth.annToMask(each)
            assert mask.shape == (image["height"], image["width"])
            assert each["area"] == mask.sum() > 0
            assert {"iou", "purity", "integrity", "class_score"} <= each.keys()
    for kind in ("bbox", "segm"):
        evaluation = COCOeval(truth, truth.loadRes(str(out / "coco-results.json")), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == pytest.approx(1)


def test_ids_of_a_coco_source_come_back(job_of: JobOf, scenes: Path, tmp_path: Path) -> None:
    assert scenes.name == "in"
    images = [{"id": 90, "file_name": "in/b/p.png"}, {"id": 7, "file_name": "in/a/p.png"}]
    (tmp_path / "coco.json").write_text(json.dumps({"images": images}))
    done = job_of(tmp_path / "coco.json")
    done.write(formats=("coco", "coco-results"), score="score")
    told = json.loads((done.out / "coco" / "labels.json").read_text())
    assert [(each["id"], each["file_name"]) for each in told["images"]] == [(90, "in/b/p.png"), (7, "in/a/p.png")]
    results = json.loads((done.out / "coco-results.json").read_text())
    assert [each["image_id"] for each in results] == [90, 7, 7]
    assert results[0]["score"] == pytest.approx(0.8)


def test_yolo_has_every_picture_its_own_labels(job_of: JobOf, scenes: Path) -> None:
    out, *_ = done = job_of(scenes)
    done.write(formats=("yolo",))
    labels = {path.relative_to(out / "yolo" / "labels") for path in (out / "yolo" / "labels").rglob("*.txt")}
    images = {path.relative_to(out / "yolo" / "images") for path in (out / "yolo" / "images").rglob("*.*")}
    assert {path.with_suffix("") for path in labels} == {path.with_suffix("") for path in images}
    assert {str(path) for path in labels} == {"a/p.txt", "b/p.txt", "b/p~5.txt", "turned сова 🦉.txt"}
    expected = boxes_of(out)
    for path in images:
        name = (out / "yolo" / "images" / path).readlink().relative_to(scenes).as_posix()
        found = yolo_boxes(out / "yolo" / "labels" / path.with_suffix(".txt"), SIZES[name])
        np.testing.assert_allclose(np.reshape(found, (-1, 4)), np.reshape(expected[name], (-1, 4)), atol=0.01)
        with Image.open(out / "yolo" / "images" / path) as picture:
            assert ImageOps.exif_transpose(picture).size == SIZES[name]
    assert (out / "yolo" / "labels" / "b" / "p.txt").read_text() == ""  # a picture without objects
    data = yaml.safe_load((out / "yolo" / "data.yaml").read_text(encoding="utf-8"))
    assert data == {"train": "images", "val": "images", "names": {0: "red", 1: "green", 2: "blue"}}


def test_a_sixth_column_is_the_figure_that_is_asked_for(job_of: JobOf, scenes: Path) -> None:
    done = job_of(scenes)
    done.write(formats=("yolo",), yolo_confidence=True, score="score")
    lines = (done.out / "yolo" / "labels" / "a" / "p.txt").read_text().splitlines()
    assert [(line.split()[0], float(line.split()[5])) for line in lines] == [("2", 0.7), ("0", 0.9)]
    done.write(formats=("yolo",))
    assert len((done.out / "yolo" / "labels" / "a" / "p.txt").read_text().splitlines()[0].split()) == 5


LEAD_BACK = ["images/a.png", "images/images/a.png", "a.png", "labels/a.png", "film.mp4@0.200s", "img.rf.0f3a.png"]


@pytest.fixture
def leading_back(rectangles: Callable[..., Image.Image], tmp_path: Path) -> Path:
    """Names that a rule about folders or suffixes could confuse; each picture has a width of its own."""
    folder = tmp_path / "names"
    for number, name in enumerate(LEAD_BACK):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        rectangles(320 + number, 240, green=(20, 20, 203, 199)).save(folder / name, "PNG")
    (folder / "list.txt").write_text("\n".join(LEAD_BACK))
    return folder / "list.txt"


@pytest.mark.parametrize("media", ["link", "copy"])
def test_names_that_lead_back_are_read_back_whole(job_of: JobOf, leading_back: Path, media: str) -> None:
    done = job_of(leading_back)
    done.write(formats=("yolo",), media=media)
    pictures = sorted(path for path in (done.out / "yolo" / "images").rglob("*") if path.suffix == ".png")
    assert len(pictures) == len(LEAD_BACK)
    for path in pictures:
        # Ultralytics' img2label_paths
        labels = Path("/labels/".join(str(path).rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt")
        with Image.open(path) as picture:
            [box] = yolo_boxes(labels, picture.size)
        np.testing.assert_allclose(box, (20, 20, 203, 199), atol=4)


def test_flat_names_are_all_in_one_folder(job_of: JobOf, leading_back: Path) -> None:
    done = job_of(leading_back)
    done.write(formats=("yolo", "voc"), flat_names=True)
    for pictures, labels in (("yolo/images", "yolo/labels"), ("voc/JPEGImages", "voc/Annotations")):
        names = {path.name for path in (done.out / pictures).iterdir()}
        assert names == {
            *("images__a.png", "images__images__a.png", "a.png", "labels__a.png"),
            *("film.mp4@0.200s.png", "img.rf.0f3a.png"),
        }
        assert {path.stem for path in (done.out / labels).iterdir()} == {name[: -len(".png")] for name in names}


def test_names_keep_their_dots_without_pictures(job_of: JobOf, leading_back: Path) -> None:
    done = job_of(leading_back)
    done.write(formats=("yolo",), media="none")
    assert (done.out / "yolo" / "labels" / "film.mp4@0.200s.txt").is_file()
    assert (done.out / "yolo" / "labels" / "img.rf.0f3a.txt").is_file()


def test_an_older_format_of_another_filter_is_reported(job_of: JobOf, scenes: Path) -> None:
    done = job_of(scenes)
    done.write(formats=("yolo",), keep="score >= 0.8")
    now = done.request(formats=("voc",), keep="score >= 0.5")
    written = done.write(formats=("voc",), keep="score >= 0.5")
    stale = [f"warning: {done.out / 'yolo'} is of an earlier run, with --keep score >= 0.8"]
    assert stale_lines(done.out, done.job, now, written) == stale
    assert stale_lines(done.out, done.job, now, {}) == stale  # also beside a run that writes no format
    part = done.job.parts[0].model_copy(update={"sha256": {"detections/part-000000.parquet": "other"}})
    changed = done.job.model_copy(update={"parts": [part, *done.job.parts[1:]]})
    assert [line[-16:] for line in stale_lines(done.out, changed, now, {})] == ["other detections"] * 2
    assert stale_lines(done.out, done.job, now, done.write(formats=("yolo", "voc"), keep="score >= 0.5")) == []
    shutil.rmtree(done.out / "yolo")
    assert stale_lines(done.out, done.job, done.request(keep="score >= 0.1"), written) == []


def test_voc_counts_pixels_from_one(job_of: JobOf, scenes: Path) -> None:
    out, *_ = done = job_of(scenes)
    done.write(formats=("voc",))
    expected = boxes_of(out)
    listed = (out / "voc" / "ImageSets" / "Main" / "all.txt").read_text().splitlines()
    assert listed == ["turned сова 🦉", "a/p", "b/p", "b/p~5"]
    for stem in listed:
        root = ElementTree.parse(out / "voc" / "Annotations" / f"{stem}.xml").getroot()
        name = Path(root.findtext("path", "")).relative_to(scenes).as_posix()
        assert (int(root.findtext("size/width", "")), int(root.findtext("size/height", ""))) == SIZES[name]
        picture = out / "voc" / "JPEGImages" / root.findtext("folder", "") / root.findtext("filename", "")
        assert picture.samefile(scenes / name)
        found = [
            [float(box.findtext(side, "")) - side.endswith("min") for side in ("xmin", "ymin", "xmax", "ymax")]
            for box in root.iter("bndbox")
        ]
        np.testing.assert_allclose(np.reshape(found, (-1, 4)), np.reshape(expected[name], (-1, 4)), atol=0.01)


def test_csv_has_what_could_not_be_read_too(job_of: JobOf, scenes: Path) -> None:
    out, *_ = done = job_of(scenes)
    done.write(formats=("csv",))
    with (out / "detections.csv").open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    found = [row for row in told if not row["error"]]
    assert [row["name"] for row in found] == [row["picture"] for row in rows(out, "detections")]
    assert [float(row["x1"]) for row in found] == [row["x1"] for row in rows(out, "detections")]
    assert [row["name"] for row in told if row["error"]] == ["broken.jpg"]


def test_fiftyone_is_told_where_the_pictures_are(job_of: JobOf, scenes: Path) -> None:
    done = job_of(scenes)
    done.write(formats=("fiftyone",))
    labels = json.loads((done.out / "fiftyone" / "labels.json").read_text())
    assert {os.path.relpath(each["file_name"], scenes) for each in labels["images"]} == set(NAMES)
    assert all(Path(each["file_name"]).is_absolute() for each in labels["images"])
    assert (done.out / "fiftyone" / "data").is_dir()  # without it FiftyOne stops
    # FiftyOne refuses both.
    assert not any("confidence" in each for each in labels["annotations"])


def test_label_studio_gets_the_most_doubtful_first(job_of: JobOf, scenes: Path) -> None:
    done = job_of(scenes)
    done.write(formats=("label-studio",), label_studio_root=scenes.parent)
    tasks = tasks_of(done.out)
    scores = [task["predictions"][0].get("score", 1.0) for task in tasks]
    assert scores == sorted(scores)
    assert tasks[-1]["data"]["picture"] == "b/p.jpg"  # nothing was found there
    for task in tasks:
        address: str = task["data"]["image"]
        assert address.isascii()
        served = scenes.parent / unquote(address.removeprefix("/data/local-files/?d="))
        assert served.samefile(scenes / task["data"]["picture"])
    config = ElementTree.parse(done.out / "label-studio" / "config.xml")
    assert [each.get("value") for each in config.iter("Label")] == ["red", "green", "blue"]
    done.write(formats=("label-studio",), label_studio_prefix="https://pictures.example/x/")
    assert tasks_of(done.out)[-1]["data"]["image"] == "https://pictures.example/x/b/p.jpg"


def test_pictures_that_label_studio_does_not_serve_are_refused(job_of: JobOf, scenes: Path, tmp_path: Path) -> None:
    done = job_of(scenes)
    (tmp_path / "in b").mkdir()
    with pytest.raises(ParameterError, match="expected a folder that holds all pictures"):
        done.write(formats=("label-studio",), label_studio_root=tmp_path / "in b")
    assert not (done.out / "label-studio").exists()
    assert not list(done.out.glob(".label*"))


def test_many_tasks_are_several_files(job_of: JobOf, scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirdet.batch.outputs.label_studio.TASKS_A_FILE", 3)
    done = job_of(scenes)
    done.write(formats=("label-studio",))
    assert [len(json.loads(file.read_text())) for file in sorted(done.out.glob("label-studio/tasks-*.json"))] == [3, 1]


def test_what_each_format_is_written_of(job_of: JobOf, scenes: Path) -> None:
    """Blue is kept, red is to be reviewed: a/p.png has both, b/p.png neither, turned.jpg red."""
    done = job_of(scenes)
    conditions = {"keep": "label = 'blue'", "review": "label = 'red'"}
    written = done.write(formats=FORMATS, **conditions)
    assert {place: (each.of, each.pictures, each.boxes) for place, each in written.items()} == {
        "coco": ("sure", 2, 0),
        "coco-results.json": ("all", 4, 4),
        "detections.csv": ("all", 4, 4),
        "fiftyone": ("all", 4, 4),
        "label-studio": ("review", 2, 3),
        "voc": ("sure", 2, 0),
        "yolo": ("sure", 2, 0),
    }
    both = next(task for task in tasks_of(done.out) if task["data"]["picture"] == "a/p.png")["predictions"][0]
    assert [each["value"]["rectanglelabels"] for each in both["result"]] == [["blue"], ["red"]]
    assert both["score"] == both["result"][1]["score"]  # of the one that is in doubt
    kept = done.write(formats=("yolo",), of="kept", **conditions)["yolo"]
    assert (kept.pictures, kept.boxes) == (4, 1)
    told = json.loads((done.out / "outputs.json").read_text())
    assert (told["yolo"]["of"], told["yolo"]["keep"], told["coco"]["of"]) == ("kept", "label = 'blue'", "sure")
    assert done.write(formats=("voc",), keep="label = 'blue'")["voc"].of == "kept"
    assert done.write(formats=("voc",))["voc"].of == "all"


def test_pictures_of_an_archive_are_written_out(job_of: JobOf, scenes: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(scenes, ".")
    done = job_of(tmp_path / "shard.tar")
    done.write(formats=FORMATS, label_studio_root=tmp_path)
    out = done.out
    data = (scenes / "a" / "p.png").read_bytes()
    below = f"{tmp_path}/shard.tar".lstrip("/")
    for path in (f"yolo/images/{below}/a/p.png", f"voc/JPEGImages/{below}/a/p.png"):
        assert (out / path).read_bytes() == data
    named = [each["file_name"] for each in json.loads((out / "fiftyone" / "labels.json").read_text())["images"]]
    assert any((out / "fiftyone" / "data" / name).read_bytes() == data for name in named)
    task = next(task for task in tasks_of(out) if task["data"]["picture"].endswith("a/p.png"))
    assert (tmp_path / unquote(task["data"]["image"].partition("=")[2])).read_bytes() == data
    names = [each["file_name"] for each in json.loads((out / "coco" / "labels.json").read_text())["images"]]
    assert f"{tmp_path}/shard.tar/./a/p.png" in names or f"{tmp_path}/shard.tar/a/p.png" in names
    assert not (out / "coco" / "data").exists()
    done.write(formats=("coco",), media="copy")
    told = json.loads((out / "coco" / "labels.json").read_text())
    assert all((out / "coco" / "data" / each["file_name"]).is_file() for each in told["images"])


def test_copies_and_no_pictures(job_of: JobOf, scenes: Path) -> None:
    done = job_of(scenes)
    done.write(formats=("yolo", "voc", "fiftyone"), media="copy")
    assert not any(path.is_symlink() for path in done.out.rglob("*"))
    assert (done.out / "yolo" / "images" / "a" / "p.png").read_bytes() == (scenes / "a" / "p.png").read_bytes()
    done.write(formats=("yolo",), media="none")
    assert not list((done.out / "yolo" / "images").iterdir())
    assert len(list((done.out / "yolo" / "labels").rglob("*.txt"))) == 4


def test_a_picture_that_has_gone_is_left_out_and_told(job_of: JobOf, scenes: Path) -> None:
    done = job_of(scenes)
    (scenes / "a" / "p.png").unlink()
    written = done.write(formats=("yolo", "coco"), media="copy", annotate=Annotate())
    for each in written.values():
        assert (each.pictures, each.losses, each.lost) == (3, 1, "a/p.png: there is no such file")
    assert not (done.out / "yolo" / "labels" / "a" / "p.txt").exists()
    labels = json.loads((done.out / "coco" / "labels.json").read_text())
    assert {each["image_id"] for each in labels["annotations"]} <= {each["id"] for each in labels["images"]}


def test_pictures_without_a_picture_s_name_get_one(job_of: JobOf, scenes: Path, tmp_path: Path) -> None:
    (scenes / "scan").write_bytes((scenes / "a" / "p.png").read_bytes())
    (scenes / "v1.2").mkdir()
    (scenes / "v1.2" / "x.jfif").write_bytes((scenes / "turned сова 🦉.jpg").read_bytes())
    (tmp_path / "list.txt").write_text("in/scan\nin/v1.2/x.jfif\n")
    done = job_of(tmp_path / "list.txt")
    done.write(formats=("yolo",))
    found = {str(path.relative_to(done.out / "yolo")) for path in (done.out / "yolo").rglob("*.*")}
    assert found >= {"images/in/scan.png", "labels/in/scan.txt"}
    assert found >= {"images/in/v1.2/x.jfif.jpg", "labels/in/v1.2/x.jfif.txt"}


def test_pictures_are_drawn(job_of: JobOf, scenes: Path) -> None:
    done = job_of(scenes)
    assert done.write(annotate=Annotate(), workers=2)["annotated"].pictures == 4
    annotated = done.out / "annotated"
    drawn = {path.relative_to(annotated).as_posix() for path in annotated.rglob("*.jpg")}
    assert drawn == {"a/p.jpg", "b/p.jpg", "b/p~5.jpg", "turned сова 🦉.jpg"}
    with Image.open(annotated / "turned сова 🦉.jpg") as picture:
        assert picture.size == (640, 480)
    with Image.open(annotated / "a" / "p.jpg") as picture, Image.open(scenes / "a" / "p.png") as before:
        assert np.abs(np.asarray(picture, int) - np.asarray(before.convert("RGB"), int)).max() > 100
    done.write(annotate=annotate_asked("label = 'green' AND iou > 0.5", 0, done.manifest))
    assert [path.name for path in annotated.rglob("*.jpg")] == ["p.jpg"]
    draws = [_drawn(done, number=2, seed=seed) for seed in (1, 1, 2, 3, 4)]
    assert all(len(draw) == 2 for draw in draws)
    assert draws[0] == draws[1]
    assert len(set(draws)) > 1
    assert len(_drawn(done, number=9, seed=0)) == 4


def _drawn(done: RectangleJob, *, number: int, seed: int) -> frozenset[str]:
    done.write(annotate=Annotate(number=number, seed=seed))
    return frozenset(str(path) for path in (done.out / "annotated").rglob("*.jpg"))


def test_nothing_found_is_written_too(job_of: JobOf, rectangles: Callable[..., Image.Image], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rectangles(30, 30).crop((0, 0, 9, 9)).save(tmp_path / "in" / "empty.png")
    done = job_of(tmp_path / "in")
    written = done.write(formats=FORMATS, keep="score>0.1", review="score>0")
    assert {place: each.pictures for place, each in written.items() if each.pictures != 1} == {"label-studio": 0}
    assert tasks_of(done.out) == []
    assert json.loads((done.out / "coco-results.json").read_text()) == []
    assert json.loads((done.out / "coco" / "labels.json").read_text())["annotations"] == []
