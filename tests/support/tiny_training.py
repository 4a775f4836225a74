"""A tiny COCO-format data set, drawn here, and a tiny detector to train on it."""

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer
from PIL import Image, ImageDraw

CLASSES = ("red", "blue")
COLOURS = ("#d03030", "#3040d0")


def draw_data_set(folder: Path, *, pictures: int, seed: int) -> Path:
    """Grey pictures of 96x64 pixels with one to three coloured rectangles each."""
    generator = np.random.default_rng(seed)
    images, annotations = [], []
    for number in range(1, pictures + 1):
        picture = Image.fromarray(generator.integers(100, 150, (64, 96, 3), dtype=np.uint8))
        pen = ImageDraw.Draw(picture)
        for _ in range(generator.integers(1, 4)):
            x, y = generator.integers(0, 60), generator.integers(0, 30)
            width, height = generator.integers(16, 36), generator.integers(16, 34)
            category = int(generator.integers(0, 2))
            corners = (float(x), float(y), float(x + width - 1), float(y + height - 1))
            pen.rectangle(corners, fill=COLOURS[category])
            box = [int(x), int(y), int(min(width, 96 - x)), int(min(height, 64 - y))]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 10 * (category + 1),
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
        picture.save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 64})
    categories = [{"id": 10 * (index + 1), "name": name} for index, name in enumerate(CLASSES)]
    path = folder / "objects.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rectangles")
    draw_data_set(folder, pictures=8, seed=0)
    return folder


TINY = """
_base_ = ["{base}"]
data_root = "{data}/"
metainfo = dict(classes=("red", "blue"))
resize = dict(type="Resize", scale=(96, 64), keep_ratio=True, backend="pillow")
train_pipeline = [
    dict(type="LoadImageFromFile"), dict(type="LoadAnnotations", with_bbox=True), resize,
    dict(type="RandomFlip", prob=0.5), dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"), resize, dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
_data = dict(ann_file="objects.json", data_root=data_root, metainfo=metainfo)
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False,
                        dataset=dict(pipeline=train_pipeline, **_data))
val_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False,
                      dataset=dict(pipeline=test_pipeline, **_data))
test_dataloader = val_dataloader
val_evaluator = dict(type="CocoMetric", ann_file=data_root + "objects.json", metric="bbox")
test_evaluator = val_evaluator
model = dict(
    backbone=dict(pretrained=False),
    roi_head=dict(bbox_head=dict(num_classes=2, fc_out_channels=32, reg_class_agnostic={agnostic}), {dir_head}),
    train_cfg=dict(rpn_proposal=dict(nms_pre=60, max_per_img=30), rcnn=dict(sampler=dict(num=16))),
    test_cfg=dict(rpn=dict(nms_pre=60, max_per_img=30), rcnn=dict(score_thr=0.0, max_candidates=40, max_per_img=20)),
)
train_cfg = dict(max_iters=4, val_interval=100)
param_scheduler = [dict(type="ConstantLR", factor=1.0, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=2, max_keep_ckpts=-1), logger=dict(interval=1))
"""


def write_tiny_config(folder: Path, data_set: Path, *, dir_head: bool = True, agnostic: bool = True) -> Path:
    """Writes a shipped scenes config, shrunk to the drawn pictures."""
    from dirdet_training.mm.configs import shipped_configs

    base = shipped_configs()["faster_rcnn_dir_lite0_scenes" if dir_head else "faster_rcnn_lite0_scenes"]
    head = "dir_head=dict(fc_channels=32)" if dir_head else ""
    path = folder / f"tiny_{dir_head}_{agnostic}.py"
    path.write_text(TINY.format(base=base, data=data_set, agnostic=agnostic, dir_head=head))
    return path


@pytest.fixture
def write_config(tmp_path: Path, data_set: Path) -> Callable[..., Path]:
    return functools.partial(write_tiny_config, tmp_path, data_set)


@pytest.fixture(scope="session")
def trained_plain(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], tuple[Path, Path]]:
    """The config and the checkpoint of a plain detector, class-agnostic or not; trained once."""
    from click.testing import CliRunner

    from dirdet_training.commands.train import command

    @functools.cache
    def train(agnostic: bool) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp("plain")
        config = write_tiny_config(folder, data_set, dir_head=False, agnostic=agnostic)
        arguments = [str(config), "--work-dir", str(folder), "-o", "train_cfg.max_iters=2"]
        CliRunner().invoke(command, arguments, catch_exceptions=False)
        return config, folder / "iter_2.pth"

    return train


@pytest.fixture(scope="module", autouse=True)
def configs_without_layout() -> Iterator[None]:
    """MMEngine lays out a config's text by yapf, several times in a training: a third of what a tiny one takes."""

    def as_it_is(text: str, **_: object) -> tuple[str, bool]:
        return text, True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("yapf.yapflib.yapf_api.FormatCode", as_it_is)
        yield


@pytest.fixture
def tiny_config(write_config: Callable[..., Path]) -> Path:
    return write_config()


@pytest.fixture
def tiny(tiny_config: Path) -> Config:
    from dirdet_training.mm.configs import read_config

    return read_config(tiny_config)


def draw_batch(*object_counts: int, height: int = 64, width: int = 96) -> dict[str, Any]:
    """Noise pictures with a number of objects each, as the data loader gives them."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for count in object_counts:
        corners = torch.rand(count, 2, generator=generator) * 30
        sample = DetDataSample(
            metainfo={
                "img_shape": (height, width),
                "ori_shape": (2 * height, 2 * width),
                "scale_factor": (0.5, 0.5),
                "img_id": len(samples),
            }
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corners, corners + 30], dim=1), labels=torch.arange(count) % 2
        )
        samples.append(sample)
    pictures = [
        torch.randint(0, 255, (3, height, width), dtype=torch.uint8, generator=generator) for _ in object_counts
    ]
    return {"inputs": pictures, "data_samples": samples}


def losses_in_training(model: Any, data: dict[str, Any]) -> dict[str, torch.Tensor]:
    model.train()
    found = model(**model.data_preprocessor(data, training=True), mode="loss")
    return {name: torch.stack(value).sum() if isinstance(value, list) else value for name, value in found.items()}


def detections_of(model: Any, data: dict[str, Any]) -> list[InstanceData]:
    model.eval()
    with torch.no_grad():
        return [sample.pred_instances for sample in model.test_step(data)]


@pytest.fixture
def batch() -> Callable[..., dict[str, Any]]:
    return draw_batch


@pytest.fixture
def losses_of() -> Callable[..., dict[str, torch.Tensor]]:
    return losses_in_training


@pytest.fixture
def detect() -> Callable[..., list[InstanceData]]:
    return detections_of


@pytest.fixture(autouse=True)
def no_global_runner() -> Iterator[None]:
    """MMEngine keeps its loggers and visualisers by name for the whole process; each test starts without them."""
    yield
    for logger in MMLogger._instance_dict.values():
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
    for manager in (MMLogger, MessageHub, Visualizer, DetLocalVisualizer):
        manager._instance_dict.clear()
