"""Masks that are served against MMDetection's own, in the pictures' own pixels."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
from numpy.typing import NDArray
from PIL import Image

from dirdet.detection import Detection
from dirdet.detection.masks import spread
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.pictures.canvas import fit_picture
from dirdet.pictures.resizing import resize
from dirdet_export.parity.found_boxes import Found
from dirdet_export.parity.mask_match import MaskPixels, mask_difference
from dirdet_export.parity.match import pair_up
from dirdet_export.parity.reference import as_mmdet_batch

Bools = NDArray[np.bool_]
SIDES = st.floats(0, 60, width=32)


@settings(max_examples=100)
@given(x=st.tuples(SIDES, SIDES), y=st.tuples(SIDES, SIDES), seed=st.integers(0, 99))
def test_spreading_equals_mmdetections(x: tuple[float, float], y: tuple[float, float], seed: int) -> None:
    (x1, x2), (y1, y2) = sorted(x), sorted(y)
    mask = np.random.default_rng(seed).random((28, 28), np.float32)
    with np.errstate(all="ignore"):
        expected, (rows, columns) = _do_paste_mask(
            torch.from_numpy(mask)[None, None], torch.tensor([[x1, y1, x2, y2]]), 60, 64
        )
    patch = spread(mask, (x1, y1, x2, y2), (60, 64))
    assert (patch.top, patch.left) == (int(rows.start), int(columns.start))
    # Where a box is thinner than float32 can divide by, both say nothing of value.
    thick = min(x2 - x1, y2 - y1) > 1e-3 or x1 == x2 or y1 == y2
    assert patch.probability.shape == expected[0].shape
    if thick:
        np.testing.assert_allclose(patch.probability, torch.nan_to_num(expected[0]).numpy(), atol=2e-3)


def photographs() -> list[Image.Image]:
    """Real pictures of mixed sizes; one whose objects reach its border, and one that is small."""
    data = pytest.importorskip("skimage.data", reason="the photographs come with scikit-image")
    astronaut, coffee, cat = (Image.fromarray(getattr(data, name)()) for name in ("astronaut", "coffee", "cat"))
    return [astronaut, coffee, cat.crop((100, 50, 350, 300)), coffee.resize((61, 47)), cat.rotate(90, expand=True)]


def by_mmdet(specimen: Any, manifest: Any, pictures: list[Image.Image]) -> list[Any]:
    """MMDetection's own detections of one batch, boxes and masks in the pictures' own pixels."""
    pixels: list[NDArray[np.uint8]] = []
    fits = [
        fit_picture((picture.height, picture.width), rule=manifest.resize, canvases=manifest.canvases)
        for picture in pictures
    ]
    for picture, fit in zip(pictures, fits, strict=True):
        pixels.append(resize(picture, fit.resized_hw, interpolation=manifest.resize.interpolation))
    # MMDetection pads to the largest picture: with a blank one to the canvas that the server has.
    pixels.append(np.zeros((*fits[0].canvas_hw, 3), np.uint8))
    batch = as_mmdet_batch(pixels)
    for sample, fit in zip(batch["data_samples"][:-1], fits, strict=True):
        scale_x, scale_y = fit.scale_xyxy[:2]
        sample.set_metainfo({"ori_shape": fit.picture_hw, "scale_factor": (scale_x, scale_y)})
    with torch.no_grad():
        return [sample.pred_instances for sample in specimen.model.test_step(batch)[:-1]]


def iou(one: Bools, other: Bools) -> float:
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0


def paired(found: list[Detection], instances: Any) -> list[tuple[Detection, int]]:
    """Each served detection with MMDetection's of the same class and box."""
    pairs: list[tuple[Detection, int]] = []
    for detection in found:
        away = np.abs(instances.bboxes.numpy() - np.array(detection.box_xyxy)).max(1)
        away[instances.labels.numpy() != detection.class_id] = np.inf
        if away.min(initial=np.inf) < 0.5:
            pairs.append((detection, int(away.argmin())))
    return pairs


@pytest.mark.parametrize("name", ["mask_rcnn", "mask_rcnn_dir", "htc"])
def test_served_masks_are_mmdetections_in_the_pictures_own_pixels(
    name: str, request: pytest.FixtureRequest, bundle_of: Callable[..., Path]
) -> None:
    pycocotools: Any = importlib.import_module("pycocotools.mask")
    specimen = request.getfixturevalue(f"{name}_specimen")
    detector = Detector.open(bundle_of(specimen), provider="cpu")
    pictures = photographs()
    compared = at_border = 0
    theirs = by_mmdet(specimen, detector.manifest, pictures)
    for picture, found, instances in zip(pictures, detector.detect(pictures), theirs, strict=True):
        pairs = paired(found, instances)
        assert len(pairs) >= 0.9 * max(len(found), len(instances)) > 0
        for detection, index in pairs:
            assert detection.mask is not None
            expected = instances.masks[index].numpy()
            assert detection.mask.size_hw == expected.shape == (picture.height, picture.width)
            told = {"size": detection.mask.size_hw, "counts": detection.mask.counts.encode()}
            mask = pycocotools.decode(told).astype(np.bool_)
            np.testing.assert_array_equal(mask, detection.mask.decode())
            # Of a small mask one pixel at the threshold is more than a hundredth.
            assert iou(mask, expected) >= 0.99 or (mask ^ expected).sum() <= 2
            compared += 1
            at_border += bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
    assert compared > 50
    assert at_border > 0


def test_one_detection_and_none(mask_rcnn_dir_specimen: Any, bundle_of: Callable[..., Path]) -> None:
    detector = Detector.open(bundle_of(mask_rcnn_dir_specimen), provider="cpu")
    picture = photographs()[0]
    [everything] = detector.detect([picture])
    [one] = detector.detect([picture], DetectOptions(max_detections=1))
    assert one == everything[:1]
    assert one[0].mask is not None
    assert detector.detect([picture], DetectOptions(score_threshold=1)) == [[]]


def pixels_of(mask: Bools, doubtful: Bools | None = None, *, left: int = 0, top: int = 0) -> MaskPixels:
    return MaskPixels(mask, np.zeros_like(mask) if doubtful is None else doubtful, left, top)


def test_the_proof_notices_a_mask_that_is_moved_or_another() -> None:
    square, none = np.ones((20, 20), np.bool_), np.zeros((0, 0), np.bool_)
    assert mask_difference(pixels_of(square), pixels_of(square)) == 0
    assert mask_difference(pixels_of(square), pixels_of(square, left=1)) > 0.05
    assert mask_difference(pixels_of(square), pixels_of(square, left=20)) == 1
    assert mask_difference(pixels_of(square), pixels_of(none)) == 1
    assert mask_difference(pixels_of(none), pixels_of(none)) == 0


def test_the_proof_lets_pixels_at_the_threshold_fall_either_way() -> None:
    square, edge = np.ones((20, 20), np.bool_), np.zeros((20, 20), np.bool_)
    edge[:, -1] = True
    assert mask_difference(pixels_of(square & ~edge), pixels_of(square, edge)) == 0
    assert mask_difference(pixels_of(square & ~edge), pixels_of(square)) == pytest.approx(0.05)


@pytest.mark.parametrize(("moved", "agree"), [(0, True), (1, False)])
def test_a_pair_is_close_only_if_its_masks_are(moved: int, agree: bool) -> None:
    def found(mask: MaskPixels) -> Found:
        one = np.ones(1)
        return Found(np.array([[0.0, 0.0, 20.0, 20.0]]), np.zeros(1, np.int64), one, None, None, None, one, [mask])

    square = np.ones((20, 20), np.bool_)
    pairs = pair_up(found(pixels_of(square)), found(pixels_of(square, left=moved)))
    assert pairs.close().tolist() == [agree]
