# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportReturnType=false
"""Training on tiles: an object that an edge cuts is found as its part, and judged against the whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config

from dirdet_training import geometry
from dirdet_training.mm.configs import build_model, read_config, shipped_configs
from dirdet_training.mm.data import DataError, datasets
from dirdet_training.mm.frozen import predicted
from dirdet_training.mm.tiles import CutTile, PackTile, set_tiles

SIZE_WH = (60, 40)


def picture(
    width: int = 200,
    height: int = 100,
    boxes: Sequence[Sequence[int]] = ((10, 10, 50, 30), (55, 20, 100, 60), (190, 90, 200, 100)),
    *,
    masks: bool = False,
) -> dict[str, Any]:
    """Pixels tell where they are: columns in the first channel, rows in the second."""
    img = np.zeros((height, width, 3), np.uint8)
    img[..., 0], img[..., 1] = np.arange(width)[None], np.arange(height)[:, None]
    found: dict[str, Any] = {
        "img": img,
        "img_shape": (height, width),
        "gt_bboxes": HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
        "gt_bboxes_labels": np.arange(len(boxes)),
        "gt_ignore_flags": np.zeros(len(boxes), bool),
    }
    if masks:
        drawn = np.zeros((len(boxes), height, width), np.uint8)
        for mask, (x1, y1, x2, y2) in zip(drawn, boxes, strict=True):
            mask[y1:y2, x1:x2] = 1
        found["gt_masks"] = BitmapMasks(drawn, height, width)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_parts_and_wholes_are_those_of_the_tile(seed):
    np.random.seed(seed)  # noqa: NPY002
    before = picture()
    boxes, masked = before["gt_bboxes"].tensor, picture(masks=True)
    after = CutTile(SIZE_WH).transform(before)
    left, top = after["img"][0, 0, :2].tolist()
    assert after["img"].shape == (40, 60, 3)
    assert after["img_shape"] == (40, 60)
    expected = boxes - torch.tensor([left, top, left, top])
    inside = torch.stack([expected[:, 0::2].clamp(0, 60), expected[:, 1::2].clamp(0, 40)], dim=2).reshape(-1, 4)
    share = geometry.areas(inside) / geometry.areas(expected)
    shown = share > 0
    torch.testing.assert_close(after["gt_whole_boxes"], expected[shown])
    torch.testing.assert_close(after["gt_bboxes"].tensor, inside[shown])
    assert after["gt_bboxes_labels"].tolist() == torch.nonzero(shown).flatten().tolist()
    assert after["gt_ignore_flags"].tolist() == (share[shown] < 0.25).tolist()
    np.random.seed(seed)  # noqa: NPY002
    masks = CutTile(SIZE_WH).transform(masked)["gt_masks"]
    assert masks.masks.sum(axis=(1, 2)).tolist() == geometry.areas(inside[shown]).tolist()


@pytest.mark.parametrize(("width", "height"), [(60, 40), (30, 200), (20, 20)])
def test_a_smaller_picture_stays_whole(width, height):
    after = CutTile(SIZE_WH).transform(picture(width, height, boxes=()))
    assert after["img"].shape == (min(height, 40), min(width, 60), 3)
    assert len(after["gt_bboxes"]) == len(after["gt_whole_boxes"]) == 0


def test_ignored_objects_have_no_whole_box():
    np.random.seed(0)  # noqa: NPY002
    cut = CutTile((100, 100))
    results = picture(100, 100, boxes=((0, 0, 40, 40), (10, 10, 90, 90)))
    results["img_id"] = 1
    results["gt_ignore_flags"][0] = True
    sample = PackTile(meta_keys=("img_id",)).transform(cut.transform(results))["data_samples"]
    assert sample.gt_instances.whole_boxes.tolist() == [[10, 10, 90, 90]]
    assert len(sample.gt_instances.bboxes) == len(sample.ignored_instances.bboxes) == 1


def test_whole_boxes_are_resized_with_the_tile():
    steps = [CutTile((60, 40)), TRANSFORMS.build({"type": "Resize", "scale": (120, 80), "keep_ratio": True})]
    results = picture(60, 40, boxes=((10, 10, 50, 30),))
    for step in [*steps, PackTile(meta_keys=())]:
        results = step.transform(results)
    assert results["inputs"].shape == (3, 80, 120)
    objects = results["data_samples"].gt_instances
    assert objects.whole_boxes.tolist() == objects.bboxes.tensor.tolist() == [[20, 20, 100, 60]]


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
def test_the_head_learns_integrity_against_the_whole_object(tiny, batch, frozen):
    model = build_model(tiny).eval()
    inputs = batch(2, 1)
    data = model.data_preprocessor(inputs, training=True)
    samples = data["data_samples"]
    for sample in samples:
        boxes = sample.gt_instances.bboxes
        boxes = getattr(boxes, "tensor", boxes)
        widths = boxes[:, 2:3] - boxes[:, 0:1]
        sample.gt_instances.whole_boxes = torch.cat([boxes[:, :2], boxes[:, 2:3] + widths, boxes[:, 3:]], dim=1)
    x = model.extract_feat(data["inputs"])
    if frozen:
        model.roi_head.bbox_assigner.pos_iou_thr = 0.1  # an untrained RPN finds no object well
        _, seen = predicted(model, data["inputs"], samples)
    else:
        _, proposals = model.rpn_head.loss_and_predict(x, samples, proposal_cfg=tiny.model.train_cfg.rpn_proposal)
        _, seen = model.roi_head.detector_losses(x, proposals, samples)
    positives = seen.positives
    assert sum(len(each) for each in positives.object_ids) > 0
    for objects, sample in zip(positives.objects_xyxy, samples, strict=True):
        wholes = sample.gt_instances.whole_boxes
        assert bool((objects[:, None] == wholes[None]).all(-1).any(-1).all())


def test_a_config_is_set_to_tiles():
    cfg = read_config("faster_rcnn_dir_lite0_nuclei")
    set_tiles(cfg, (320, 256))
    steps = [step["type"] for step in cfg.train_dataloader.dataset.pipeline]
    assert steps == [
        "LoadImageFromFile", "LoadAnnotations", "RandomFlip", "CutTile", "Resize", "PhotoMetricDistortion", "PackTile",
    ]  # fmt: skip
    broken = Config({"train_dataloader": {"dataset": {"ann_file": "a.json", "pipeline": [{"type": "Resize"}]}}})
    with pytest.raises(DataError, match="--tiles: expected PackDetInputs"):
        set_tiles(broken, (320, 256))


@pytest.mark.parametrize("name", [name for name in shipped_configs() if "lite0" in name or name.endswith("1x_coco")])
def test_the_steps_of_shipped_configs_make_tiles(name):
    """Some resize by Pillow, which takes no floats, and change colours, which makes floats."""
    cfg = read_config(name)
    set_tiles(cfg, (60, 40))
    [dataset] = datasets(cfg.train_dataloader.dataset)
    results = picture(masks=True) | {"ori_shape": (100, 200), "img_id": 1, "img_path": "a.png"}
    results["gt_seg_map"] = np.zeros((100, 200), np.uint8)
    for step in dataset["pipeline"]:
        if step["type"].startswith("Load"):
            continue
        results = TRANSFORMS.build(step).transform(results)
    objects = results["data_samples"].gt_instances
    assert len(objects.whole_boxes) == len(objects.bboxes)
    assert results["inputs"].shape[0] == 3
