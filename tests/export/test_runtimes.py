"""One RoI stage for every runtime: eager, ONNX Runtime, and built from its file behind trunk.onnx."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from dirdet.bundle.bundle import DETECTOR, TRUNK
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet_export.graph.detector import Detector
from dirdet_export.parity.serving import TwoPartEngine
from dirdet_export.write import signature

Answer = dict[str, np.ndarray]


def arguments(detector: Detector, request: dict[str, Tensor]) -> dict[str, Tensor]:
    predicts_iou = detector.roi_stage.dir_head is not None
    return {spec.name: request[spec.name] for spec in signature.inputs(predicts_iou=predicts_iou)}


def eager(detector: Detector, request: dict[str, Tensor]) -> Answer:
    predicts_iou = detector.roi_stage.dir_head is not None
    with torch.no_grad():
        values = detector(*arguments(detector, request).values())
    specs = signature.outputs(predicts_iou=predicts_iou, mask_size=detector.roi_stage.mask_size)
    names = [spec.name for spec in specs]
    return {name: tensor.numpy() for name, tensor in zip(names, values, strict=True)}


def by_onnx(folder: Path, detector: Detector, request: dict[str, Tensor]) -> Answer:
    session = onnxruntime.InferenceSession(str(folder / DETECTOR))
    feeds = {name: tensor.numpy() for name, tensor in arguments(detector, request).items()}
    arrays: list[Any] = list(session.run(None, feeds))
    return dict(zip((spec.name for spec in session.get_outputs()), arrays, strict=True))


def in_two_parts(folder: Path, request: dict[str, Tensor]) -> Answer:
    engine = TwoPartEngine(folder)
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in request.items()}
    arrays["nms_iou_threshold"] = float(arrays["nms_iou_threshold"])
    answer: Candidates = engine.detect(CanvasBatch(**arrays))
    renamed = {"boxes": answer.boxes_xyxy}
    names = ("class_id", "score", "purity", "integrity", "num_candidates", "kept", "num_detections", "mask")
    found = {**renamed, **{name: getattr(answer, name) for name in names}}
    return {name: values for name, values in found.items() if values is not None}


def served(folder: Path, detector: Detector, request: dict[str, Tensor]) -> list[Answer]:
    return [by_onnx(folder, detector, request), in_two_parts(folder, request)]


def assert_same(actual: Answer, expected: Answer) -> None:
    assert list(actual) == list(expected)
    for name, values in expected.items():
        assert actual[name].dtype == values.dtype, name
        assert actual[name].shape == values.shape, name
        tolerance = 0.02 if name == "boxes" else 1e-3
        if values.dtype.kind == "f":
            np.testing.assert_allclose(actual[name], values, rtol=0, atol=tolerance, err_msg=name)
        else:
            np.testing.assert_array_equal(actual[name], values, err_msg=name)


@pytest.mark.parametrize(
    ("batch", "height", "width"),
    [(1, 96, 128), (3, 128, 96), (1, 32, 32), (2, 64, 160)],
    ids=["one", "three upright", "fewer anchors than proposals", "panoramas"],
)
def test_all_runtimes_agree(
    specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]],
    batch: int, height: int, width: int,
) -> None:  # fmt: skip
    request, folder = ask(batch, height, width), bundle_of(specimen)
    expected = eager(specimen.detector, request)
    assert expected["num_detections"].min() > 0
    for answer in served(folder, specimen.detector, request):
        assert_same(answer, expected)


def test_nothing_above_the_threshold_gives_zeros(
    specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]]
) -> None:
    request, folder = ask(2, score_threshold=1.0), bundle_of(specimen)
    for answer in (eager(specimen.detector, request), *served(folder, specimen.detector, request)):
        assert {name: bool(values.any()) for name, values in answer.items() if values.any()} == {}
        assert answer["boxes"].shape == (2, specimen.limits.max_candidates, 4)
        assert answer["kept"].shape == (2, specimen.limits.max_detections)


def test_one_candidate_is_one_detection(
    specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]]
) -> None:
    scores = eager(specimen.detector, ask(score_threshold=0.0))["score"][0]
    request = ask(score_threshold=float(scores[0] + scores[1]) / 2)
    for answer in served(bundle_of(specimen), specimen.detector, request):
        assert answer["num_candidates"].tolist() == [1]
        assert answer["num_detections"].tolist() == [1]
        assert answer["score"][0, 0] == pytest.approx(scores[0], abs=1e-4)


def test_each_picture_of_a_batch_has_its_own_thresholds(
    dir_specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]]
) -> None:
    request = ask(2)
    request["canvas"][1], request["picture_hw"][1] = request["canvas"][0], request["picture_hw"][0]
    scores = by_onnx(bundle_of(dir_specimen), dir_specimen.detector, request)["score"][0]
    thresholds = [float(scores[30] + scores[31]) / 2, float(scores[10] + scores[11]) / 2]
    request["score_threshold"], request["iou_weight"] = torch.tensor(thresholds), torch.tensor([0.5, 0.0])
    answer = by_onnx(bundle_of(dir_specimen), dir_specimen.detector, request)
    low, high = answer["num_candidates"]
    assert (low, high) == (31, 11)
    np.testing.assert_allclose(answer["score"][0, :high], answer["score"][1, :high], atol=1e-5)
    kept = answer["kept"][1, : answer["num_detections"][1]]
    assert (np.diff(answer["score"][1, kept]) <= 0).all()


def test_detections_are_ranked_by_confidence_and_lie_inside_the_picture(
    dir_specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]]
) -> None:
    request = ask(2)
    answer = by_onnx(bundle_of(dir_specimen), dir_specimen.detector, request)
    for picture in range(2):
        count = answer["num_candidates"][picture]
        assert (np.diff(answer["score"][picture, :count]) <= 0).all()
        kept = answer["kept"][picture, : answer["num_detections"][picture]]
        purity, integrity = answer["purity"][picture, kept], answer["integrity"][picture, kept]
        confidence = np.sqrt(answer["score"][picture, kept] / (1 / purity + 1 / integrity - 1))
        assert (np.diff(confidence) <= 1e-6).all()
        height, width = request["picture_hw"][picture].tolist()
        boxes = answer["boxes"][picture]
        assert boxes.min() >= 0
        assert (boxes.max(0) <= [width, height, width, height]).all()


def test_masks_are_those_of_the_survivors_whatever_the_thresholds(
    mask_rcnn_dir_specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]]
) -> None:
    folder, detector = bundle_of(mask_rcnn_dir_specimen), mask_rcnn_dir_specimen.detector
    known: dict[int, np.ndarray] = {}
    shared = 0
    for settings in ({}, {"iou_weight": 0.0}, {"nms_iou_threshold": 0.2}, {"iou_weight": 1.0}):
        answer = by_onnx(folder, detector, ask(**settings))
        count = answer["num_detections"][0]
        assert not answer["mask"][0, count:].any()
        for position, candidate in enumerate(answer["kept"][0, :count].tolist()):
            mask = answer["mask"][0, position]
            assert mask.any()
            shared += candidate in known
            np.testing.assert_allclose(mask, known.setdefault(candidate, mask), atol=1e-4)
    assert shared > count
    assert len(known) > count  # not always the same survive


def test_what_is_beside_the_picture_does_not_matter(
    specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]]
) -> None:
    request, folder = ask(), bundle_of(specimen)
    expected = by_onnx(folder, specimen.detector, request)
    request["canvas"][:, :, request["picture_hw"][0, 1] :] = 255
    assert_same(by_onnx(folder, specimen.detector, request), expected)


def test_graphs_have_no_control_flow_and_an_old_enough_version(specimen: Any, bundle_of: Callable[..., Path]) -> None:
    for name in (DETECTOR, TRUNK):
        model = onnx.load(str(bundle_of(specimen) / name))
        kinds = {node.op_type for node in model.graph.node}
        assert not kinds & {"If", "Loop", "Scan", "NonZero"}
        deformable = "DeformConv" in kinds
        assert deformable == specimen.deformable
        assert model.ir_version <= (9 if deformable else 8)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 19 if deformable else 17)]
