"""What `dirdet batch --to` writes, read by the tools that it is written for."""

import importlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs import RectangleJob, rectangle_job, rows
from PIL import Image

from dirdet.detector.detector import Detector

NAMES = ("empty.jpg", "p q+r.png", "turned сова.jpg")


def module(name: str) -> Any:
    """One of the tools, none of which is installed where types are checked."""
    return importlib.import_module(name)


@pytest.fixture
def scenes(rectangles: Callable[..., Image.Image], tmp_path: Path) -> Path:
    """Two rectangles, none, and a picture that lies on its side; and one of the same name, a folder further down."""
    folder = tmp_path / "scenes"
    (folder / "below").mkdir(parents=True)
    rectangles(red=(100, 60, 300, 200), blue=(80, 260, 560, 440)).save(folder / "p q+r.png")
    rectangles(320, 240, green=(20, 20, 203, 199)).save(folder / "below" / "p q+r.png")
    rectangles(200, 200).crop((0, 0, 20, 20)).save(folder / "empty.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    rectangles(480, 640, red=(60, 100, 200, 300)).save(folder / "turned сова.jpg", exif=exif, quality=95)
    return folder


@pytest.fixture
def done(scenes: Path, tmp_path: Path, mask_detector: Detector) -> RectangleJob:
    return rectangle_job(scenes, tmp_path / "out", mask_detector)


def boxes_of(done: RectangleJob) -> dict[str, Any]:
    """The job's own boxes, [N, 4] by picture."""
    found: dict[str, list[list[float]]] = {}
    for row in rows(done.out, "pictures"):
        found[row["picture"]] = []
    for row in rows(done.out, "detections"):
        found[row["picture"]].append([row[side] for side in ("x1", "y1", "x2", "y2")])
    return {name: np.reshape(boxes, (-1, 4)) for name, boxes in found.items()}


def by_size(boxes: Any) -> Any:
    """In an order that no tool changes."""
    return boxes[np.argsort(boxes[:, 2] - boxes[:, 0])]


def imported(importer: Any) -> dict[str, tuple[Any, Any]]:
    """What one of FiftyOne's importers gives, by the picture that the path leads to."""
    with importer:
        return {Path(path).resolve().name: (metadata, label) for path, metadata, label in importer}


def pixels(detections: Any, size_wh: tuple[int, int]) -> Any:
    sides = np.reshape([each.bounding_box for each in detections.detections], (-1, 4)) * np.array([*size_wh, *size_wh])
    sides[:, 2:] += sides[:, :2]
    return sides


@pytest.mark.parametrize("media", ["link", "copy"])
def test_fiftyone_imports_its_format(done: RectangleJob, scenes: Path, media: str) -> None:
    coco = module("fiftyone.utils.coco")
    done.write(formats=("fiftyone",), media=media)
    expected = boxes_of(done)
    with coco.COCODetectionDatasetImporter(dataset_dir=str(done.out / "fiftyone")) as importer:
        found = list(importer)
    assert len(found) == 4
    for path, metadata, label in found:
        base = done.out / "fiftyone" / "data" if media == "copy" else scenes
        name = Path(path).relative_to(base).as_posix()
        boxes = pixels(label["detections"], (metadata.width, metadata.height)) if label else np.zeros((0, 4))
        np.testing.assert_allclose(boxes, expected[name], atol=0.01)
        if name == "turned сова.jpg":
            assert (metadata.width, metadata.height) == (640, 480)
        if name == "p q+r.png":
            first = label["detections"].detections[0]
            row = next(row for row in rows(done.out, "detections") if row["picture"] == name)
            assert first.confidence == row["confidence"]
            assert first["iou"] == row["iou"]
            assert first["class_score"] == row["score"]
            assert label["segmentations"].detections[0].mask.any()


def test_fiftyone_imports_pictures_of_an_archive(scenes: Path, tmp_path: Path, mask_detector: Detector) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(scenes, "s")
    done = rectangle_job(tmp_path / "shard.tar", tmp_path / "packed", mask_detector)
    done.write(formats=("fiftyone",))
    importer = module("fiftyone.utils.coco").COCODetectionDatasetImporter(dataset_dir=str(tmp_path / "packed/fiftyone"))
    with importer:
        paths = [path for path, _, _ in importer]
    assert len(paths) == 4
    for path in paths:
        with Image.open(path) as picture:
            picture.load()


def test_fiftyone_imports_coco_with_copies(done: RectangleJob) -> None:
    done.write(formats=("coco",), media="copy")
    importer = module("fiftyone.utils.coco").COCODetectionDatasetImporter(dataset_dir=str(done.out / "coco"))
    with importer:
        assert sum(len(label["detections"].detections) for _, _, label in importer if label) == 4


@pytest.mark.parametrize("with_confidence", [False, True])
def test_fiftyone_and_supervision_read_yolo(done: RectangleJob, scenes: Path, with_confidence: bool) -> None:
    done.write(formats=("yolo",), yolo_confidence=with_confidence)
    expected, folder = boxes_of(done), done.out / "yolo"
    importer = module("fiftyone.utils.yolo").YOLOv5DatasetImporter(
        dataset_dir=str(folder), yaml_path=str(folder / "data.yaml"), split="train"
    )
    with importer:
        found = list(importer)
    assert len(found) == 4
    for path, _, label in found:
        name = Path(path).relative_to(folder / "images").as_posix()
        with Image.open(scenes / name) as picture:
            size_wh = (640, 480) if "turned" in name else picture.size
        boxes = pixels(label, size_wh) if label else np.zeros((0, 4))
        np.testing.assert_allclose(boxes, expected[name], atol=0.01)
        if label and with_confidence:
            assert all(0 < each.confidence < 1 for each in label.detections)

    # supervision reads one folder.
    data = module("supervision").DetectionDataset.from_yolo(
        str(folder / "images"), str(folder / "labels"), str(folder / "data.yaml")
    )
    assert data.classes == ["red", "green", "blue"]
    read = {Path(path).name: detections.xyxy for path, _, detections in data}
    assert set(read) == set(NAMES)
    for name, boxes in read.items():
        np.testing.assert_allclose(boxes, expected[name], atol=0.01)


def test_supervision_and_fiftyone_read_voc(done: RectangleJob) -> None:
    done.write(formats=("voc",))
    expected, folder = boxes_of(done), done.out / "voc"
    data = module("supervision").DetectionDataset.from_pascal_voc(
        str(folder / "JPEGImages"), str(folder / "Annotations")
    )
    assert sorted(data.classes) == ["blue", "red"]
    read = {Path(path).name: detections.xyxy for path, _, detections in data}
    assert set(read) == set(NAMES)
    for name, boxes in read.items():
        np.testing.assert_allclose(boxes, expected[name], atol=0.01)
    importer = module("fiftyone.utils.voc").VOCDetectionDatasetImporter(
        dataset_dir=str(folder), data_path=str(folder / "JPEGImages"), labels_path=str(folder / "Annotations")
    )
    with importer:
        found = {Path(path).relative_to(folder / "JPEGImages").as_posix(): label for path, _, label in importer}
    assert found.keys() == expected.keys()
    assert [each.label for each in found["p q+r.png"].detections] == ["blue", "red"]


def test_supervision_reads_coco_with_masks(done: RectangleJob, scenes: Path) -> None:
    done.write(formats=("coco",))
    expected = boxes_of(done)
    data = module("supervision").DetectionDataset.from_coco(
        str(scenes), str(done.out / "coco" / "labels.json"), force_masks=True
    )
    read: dict[str, Any] = {Path(path).relative_to(scenes).as_posix(): detections for path, _, detections in data}
    assert read.keys() == expected.keys()
    for name, detections in read.items():
        boxes: Any = detections.xyxy
        assert np.reshape(boxes, (-1, 4)) == pytest.approx(expected[name], abs=0.01)
        if len(detections) and detections.mask is not None:
            assert detections.mask.any(axis=(1, 2)).all()


def test_label_studio_takes_the_tasks_and_finds_the_pictures(
    done: RectangleJob, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done.write(formats=("label-studio",), label_studio_root=scenes.parent)
    interface = module("label_studio_sdk.label_interface").LabelInterface(
        (done.out / "label-studio" / "config.xml").read_text(encoding="utf-8")
    )
    tasks = json.loads((done.out / "label-studio" / "tasks-0001.json").read_text())
    assert len(tasks) == 4
    served = module("label_studio_sdk._extensions.label_studio_tools.core.utils.io")
    monkeypatch.setattr(served, "LOCAL_FILES_DOCUMENT_ROOT", str(scenes.parent))
    for task in tasks:
        assert interface.validate_task({"data": task["data"]})
        [prediction] = task["predictions"]
        assert interface.validate_prediction(prediction, return_errors=True) == []
        assert Path(served.resolve_local_storage_file(task["data"]["image"])).samefile(scenes / task["data"]["picture"])

    # A person accepts them all, and Label Studio exports them as COCO.
    accepted = [
        {
            "id": number,
            "data": task["data"],
            "annotations": [{"id": number, "result": task["predictions"][0]["result"]}],
        }
        for number, task in enumerate(tasks, start=1)
    ]
    exported = done.out / "accepted.json"
    exported.write_text(json.dumps(accepted))
    converter = module("label_studio_sdk.converter").Converter(
        (done.out / "label-studio" / "config.xml").read_text(), str(done.out), download_resources=False
    )
    converter.convert_to_coco(str(exported), str(done.out / "exported"), is_dir=False)
    coco = json.loads((done.out / "exported" / "result.json").read_text())
    sides = np.reshape([each["bbox"] for each in coco["annotations"]], (-1, 4))
    sides[:, 2:] += sides[:, :2]
    expected = np.concatenate([boxes_of(done)[task["data"]["picture"]] for task in tasks])
    np.testing.assert_allclose(by_size(sides), by_size(expected), atol=0.01)
