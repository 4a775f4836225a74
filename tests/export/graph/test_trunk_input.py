"""The network sees what MMDetection's Pad, Normalize and data preprocessor make of a picture, to the last pixel."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from dirdet_export.dissect.input_pipeline import read_input, read_pipeline
from dirdet_export.graph.trunk import Trunk
from dirdet_export.parity.mm_pipeline import FilePipeline

# isort: split
from mmdet.registry import MODELS

Settings = dict[str, Any]
RESIZE: Settings = {"type": "Resize", "scale": (64, 64), "keep_ratio": True}
NORMALIZE: Settings = {"type": "Normalize", "mean": [123.0, 116.0, 103.0], "std": [58.0, 57.0, 56.0]}
BY_MODEL: Settings = {"mean": [123.0, 116.0, 103.0], "std": [58.0, 57.0, 56.0], "bgr_to_rgb": True}
LETTERBOX: Settings = {"type": "Pad", "pad_to_square": True, "pad_val": {"img": (114.0, 20.0, 7.0)}}
INPUTS: dict[str, tuple[list[Settings], Settings]] = {
    "stock": ([], {**BY_MODEL, "pad_size_divisor": 32}),
    "caffe": ([], {"mean": [103.5, 116.3, 123.7], "std": [1.0, 1.0, 1.0], "pad_size_divisor": 64}),
    "one mean": ([], {"mean": [100.0], "std": [50.0], "pad_value": 3, "pad_size_divisor": 32}),
    "as it is": ([], {"pad_size_divisor": 32, "bgr_to_rgb": True}),
    "Pad": ([{"type": "Pad", "size_divisor": 128}], {**BY_MODEL, "pad_size_divisor": 1}),
    "Pad with a value": ([{"type": "Pad", "size_divisor": 48, "pad_val": 114}], {**BY_MODEL, "pad_size_divisor": 96}),
    "letterbox": ([LETTERBOX], {**BY_MODEL, "pad_size_divisor": 32}),
    "letterbox in BGR": ([LETTERBOX], {"mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 6.0]}),
    "Normalize": ([NORMALIZE], {"pad_size_divisor": 32}),
    "Normalize in BGR": ([{**NORMALIZE, "to_rgb": False}], {"pad_size_divisor": 32}),
    "Normalize, turned again": ([NORMALIZE], {"pad_size_divisor": 32, "bgr_to_rgb": True}),
    "Normalize, then Pad": ([NORMALIZE, LETTERBOX], {"pad_size_divisor": 32}),
    "Pad, then Normalize": ([LETTERBOX, NORMALIZE], {"pad_size_divisor": 32}),
}


@pytest.mark.parametrize(("steps", "settings"), INPUTS.values(), ids=INPUTS)
def test_the_networks_input_is_mmdetections(steps: list[Settings], settings: Settings) -> None:
    cfg = Config({"test_pipeline": [{"type": "LoadImageFromFile"}, RESIZE, *steps, {"type": "PackDetInputs"}]})
    preprocessor: Any = MODELS.build({"type": "DetDataPreprocessor", **settings})
    picture = np.random.default_rng(0).integers(0, 256, (43, 64, 3), np.uint8)
    resized = {"img": picture[:, :, ::-1], "img_shape": (43, 64), "ori_shape": (43, 64), "scale_factor": (1.0, 1.0)}
    expected = preprocessor(FilePipeline(cfg).pack(resized), False)["inputs"]

    seen = read_input(preprocessor, read_pipeline(cfg))
    nothing = nn.Identity()
    trunk = Trunk(backbone=nothing, neck=nothing, rpn_head=nothing, roi_levels=1, **asdict(seen))
    canvas = torch.zeros(1, *expected.shape[2:], 3, dtype=torch.uint8)
    canvas[:, :43, :64] = torch.from_numpy(picture)
    torch.testing.assert_close(trunk.normalise(canvas, torch.tensor([[43, 64]])), expected, atol=1e-4, rtol=1e-5)
