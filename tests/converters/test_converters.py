"""Results in the tools they are converted for: the tools themselves read them."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dirdet.client import ImageResult
from dirdet.convert import to_coco_dataset, to_coco_results, to_fiftyone, to_label_studio, to_supervision

INTERFACE = """
<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="red"/><Label value="green"/><Label value="blue"/>
</RectangleLabels></View>
"""


def module(name: str) -> Any:
    """One of the tools, none of which is installed where types are checked."""
    return importlib.import_module(name)


def test_supervision(result: ImageResult, nothing: ImageResult) -> None:
    sv = module("supervision")

    found = to_supervision(result, score="iou")
    assert isinstance(found, sv.Detections)
    np.testing.assert_allclose(found.xyxy, result.boxes_xyxy)
    np.testing.assert_allclose(found.confidence, result.ious)
    assert found["class_name"].tolist() == ["blue", "red"]
    np.testing.assert_allclose(found.data["purity"], result.purities)
    assert np.isnan(found.data["score_calibrated"]).all()
    # What people do with them next.
    certain = found[found.data["iou"] > 0.5]
    assert certain["class_name"].tolist() == ["blue"]
    assert certain.mask.shape == (1, 480, 640)
    assert len(found.with_nms(0.5)) == 2
    scene = sv.BoxAnnotator().annotate(np.zeros((480, 640, 3), np.uint8), found)
    assert scene.any()
    empty = to_supervision(nothing)
    assert len(empty) == 0
    assert len(sv.Detections.merge([empty, found])) == 2


def test_fiftyone(result: ImageResult, nothing: ImageResult) -> None:
    fo = module("fiftyone")

    found = to_fiftyone(result)
    assert isinstance(found, fo.Detections)
    blue, red = found.detections
    assert (blue.label, red.label) == ("blue", "red")
    np.testing.assert_allclose(np.array(red.bounding_box) * (640, 480, 640, 480), (100, 60, 200, 140), atol=2.5)
    assert blue.confidence == result.confidences[0]
    assert blue["iou"] == result.ious[0]
    polyline = blue.to_polyline(tolerance=1)
    assert polyline.closed
    whole = blue.to_segmentation(frame_size=(640, 480)).mask
    decoded = result.masks
    assert decoded is not None
    assert (whole.astype(bool) != decoded[0]).mean() < 0.005
    sample = fo.Sample(filepath="a.jpg", dirdet=found)
    assert len(sample["dirdet"].detections) == 2
    assert to_fiftyone(nothing).detections == []


def test_label_studio(result: ImageResult, nothing: ImageResult, tmp_path: Path) -> None:
    task = to_label_studio(result, image="https://pictures.example/a.jpg")
    [prediction] = task["predictions"]
    interface = module("label_studio_sdk.label_interface").LabelInterface(INTERFACE)
    assert interface.validate_prediction(prediction, return_errors=True) == []
    assert interface.validate_prediction(to_label_studio(nothing)["predictions"][0], return_errors=True) == []
    assert prediction["score"] == pytest.approx(result.confidences.min())
    assert prediction["model_version"] == "rectangles"

    # A person accepts it, and Label Studio exports it as COCO.
    accepted = {"id": 1, "data": task["data"], "annotations": [{"id": 1, "result": prediction["result"]}]}
    exported = tmp_path / "task.json"
    exported.write_text(json.dumps([accepted]))
    converter = module("label_studio_sdk.converter").Converter(INTERFACE, str(tmp_path), download_resources=False)
    converter.convert_to_coco(str(exported), str(tmp_path / "coco"), is_dir=False)
    coco = json.loads((tmp_path / "coco" / "result.json").read_text())
    names = {each["id"]: each["name"] for each in coco["categories"]}
    assert [names[each["category_id"]] for each in coco["annotations"]] == ["blue", "red"]
    x1, y1, x2, y2 = result.boxes_xyxy.T
    np.testing.assert_allclose(
        [each["bbox"] for each in coco["annotations"]], np.stack([x1, y1, x2 - x1, y2 - y1], axis=1), atol=0.01
    )


def test_supervision_and_fiftyone_read_the_coco_data_set(result: ImageResult, tmp_path: Path) -> None:
    sv = module("supervision")
    categories = {10: "red", 20: "green", 30: "blue"}
    Image.new("RGB", (640, 480)).save(tmp_path / "a.jpg")
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps(to_coco_dataset([result], categories=categories)))
    data = sv.DetectionDataset.from_coco(str(tmp_path), str(annotations), force_masks=True)
    [(_, _, found)] = list(data)
    assert sorted(data.classes[each] for each in found.class_id) == ["blue", "red"]
    np.testing.assert_allclose(found.xyxy, result.boxes_xyxy, atol=0.01)
    assert found.mask is not None
    assert result.masks is not None
    np.testing.assert_array_equal(found.mask, result.masks)


def test_pycocotools_evaluates_the_results(result: ImageResult) -> None:
    truth = module("pycocotools.coco").COCO()
    truth.dataset = {"info": {}, **to_coco_dataset([result])}
    truth.createIndex()
    for kind in ("bbox", "segm"):
        evaluation = module("pycocotools.cocoeval").COCOeval(truth, truth.loadRes(to_coco_results([result])), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == pytest.approx(1)
