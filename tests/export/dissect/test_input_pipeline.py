"""What a config's test pipeline does to a picture, against mmcv's own steps."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from PIL import Image

from dirdet.bundle.bundle import CanvasSize, ResizeRule
from dirdet.pictures.canvas import fit_picture
from dirdet.pictures.resizing import resize
from dirdet_export.dissect.canvases import derive_canvases, own_canvases, parse_canvas, sort_canvases
from dirdet_export.dissect.input_pipeline import InputPipeline, Pad, read_pipeline
from dirdet_export.errors import UnsupportedError

# isort: split
from mmdet.registry import TRANSFORMS

Step = dict[str, Any]
STOCK: Step = {"type": "Resize", "scale": (1333, 800), "keep_ratio": True}
SMALL: Step = {"type": "Resize", "scale": (96, 64), "keep_ratio": True}
NORMALIZE: Step = {"type": "Normalize", "mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 6.0]}
RULES: list[Step] = [
    *(
        {**SMALL, "backend": "cv2", "interpolation": kind}
        for kind in ("nearest", "bilinear", "bicubic", "area", "lanczos")
    ),
    *(
        {**SMALL, "backend": "pillow", "interpolation": kind}
        for kind in ("nearest", "bilinear", "bicubic", "box", "lanczos", "hamming")
    ),
    {**SMALL, "keep_ratio": False},
    {"type": "Resize", "scale": 64, "keep_ratio": True},
    {"type": "Resize", "scale_factor": 0.4},
    {"type": "Resize", "scale_factor": 0.7, "keep_ratio": True},
    {"type": "FixScaleResize", "scale": (96, 64), "keep_ratio": True},
    {"type": "ResizeShortestEdge", "scale": 64, "max_size": 96},
]


def config(*steps: Step, **dataset: Any) -> Config:
    pipeline = [{"type": "LoadImageFromFile"}, *steps, {"type": "PackDetInputs"}]
    return Config({"test_dataloader": {"dataset": {"pipeline": pipeline, **dataset}}})


def sizes(canvases: list[CanvasSize]) -> list[tuple[int, int]]:
    return [(canvas.height, canvas.width) for canvas in canvases]


@pytest.mark.parametrize("step", RULES, ids=str)
@settings(max_examples=8)
@given(height=st.integers(20, 300), width=st.integers(20, 300))
def test_the_pixels_are_mmcv_s_to_the_bit(step: Step, height: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    theirs = TRANSFORMS.build(step).transform({"img": pixels, "img_shape": pixels.shape[:2]})["img"]
    rule = read_pipeline(config(step)).resize
    fit = fit_picture((height, width), rule=rule, canvases=[CanvasSize(height=320, width=320)])
    ours = resize(Image.fromarray(pixels), fit.resized_hw, interpolation=rule.interpolation)
    np.testing.assert_array_equal(ours, theirs)


def test_below_a_wrapped_data_set_and_of_the_first_of_several() -> None:
    inner, other = (config(step).test_dataloader.dataset for step in (SMALL, STOCK))
    for wrapper in ({"dataset": inner}, {"datasets": [{"dataset": inner}, other]}):
        cfg = Config({"test_dataloader": {"dataset": {"type": "RepeatDataset", **wrapper}}})
        assert read_pipeline(cfg).resize.long_side == 96


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"size_divisor": 128}, Pad(multiple=128)),
        ({"size_divisor": 32, "pad_val": {"img": (1, 2, 3)}}, Pad(multiple=32, value=(1.0, 2.0, 3.0))),
        ({"size": (1333, 800), "pad_val": 114}, Pad(at_least_hw=(800, 1333), value=(114.0,) * 3)),
        ({"size_divisor": 32, "pad_val": {"img": 114.0}}, Pad(multiple=32, value=(114.0, 0.0, 0.0))),
    ],
)
def test_a_pad_step(step: Step, expected: Pad) -> None:
    step = {"type": "Pad", **step}
    assert read_pipeline(config(STOCK, step)).pad == expected
    padded = TRANSFORMS.build(step).transform({"img": np.full((20, 20, 3), 7, np.uint8)})["img"]
    assert tuple(padded[-1, -1]) == expected.value


def test_the_order_of_pad_and_normalize_is_known() -> None:
    pad: Step = {"type": "Pad", "size_divisor": 32}
    after, before = read_pipeline(config(SMALL, NORMALIZE, pad)), read_pipeline(config(SMALL, pad, NORMALIZE))
    assert (after.pad, before.pad) == (Pad(multiple=32, normalised=True), Pad(multiple=32))
    assert after.normalise == before.normalise
    assert after.normalise is not None
    assert (after.normalise.mean, after.normalise.to_rgb) == ((1.0, 2.0, 3.0), True)


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ([SMALL, SMALL], "Resize at another place or twice"),
        ([NORMALIZE, SMALL], "Resize at another place"),
        ([SMALL, NORMALIZE, NORMALIZE], "Normalize at another place or twice"),
        ([{"type": "TestTimeAug", "transforms": []}], "this config has TestTimeAug"),
        ([{"type": "mmdet.MultiScaleFlipAug"}], "this config has MultiScaleFlipAug"),
        ([SMALL, {"type": "RandomFlip", "prob": 0.5}], "this config has RandomFlip"),
        ([{"type": "LoadImageFromFile", "to_float32": True}], "LoadImageFromFile at another place"),
        ([{**SMALL, "backend": "tensorflow"}], "backend='tensorflow'"),
        ([{**SMALL, "interpolation": "cubic"}], "interpolation='cubic'"),
        ([{**SMALL, "scale": (0, 1)}], "two positive integers"),
        ([{"type": "Resize", "scale_factor": (0.5, 0.7)}], "one positive scale_factor"),
        ([{"type": "ResizeShortestEdge", "scale": 64}], "max_size"),
        ([{**SMALL, "sharpen": 1}], "sharpen"),
        ([SMALL, {"type": "Pad", "size_divisor": 32, "padding_mode": "edge"}], "Pad.padding_mode"),
        ([SMALL, {"type": "Pad", "pad_to_square": True}], "pad_to_square"),
    ],
)
def test_what_a_bundle_cannot_express_is_named(steps: list[Step], named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        read_pipeline(config(*steps))


@pytest.mark.parametrize(
    "setting", [{"to_float32": True}, {"color_type": "grayscale"}, {"imdecode_backend": "pillow"}], ids=str
)
def test_another_reading_of_files_is_refused_by_name(setting: Step) -> None:
    loading = {"type": "LoadImageFromFile", "imdecode_backend": None}
    read_pipeline(Config({"test_pipeline": [loading, SMALL]}))
    with pytest.raises(UnsupportedError, match=f"LoadImageFromFile.{next(iter(setting))}"):
        read_pipeline(Config({"test_pipeline": [{**loading, **setting}, SMALL]}))


def test_canvases_of_the_two_kinds_of_config() -> None:
    scenes = read_pipeline(config({"type": "Resize", "scale": (320, 256), "keep_ratio": True}))
    stock = read_pipeline(config(STOCK))
    assert sizes(derive_canvases(scenes, 32)) == [(256, 320), (320, 256)]
    assert sizes(derive_canvases(stock, 32)) == [(800, 1088), (1088, 800), (800, 1344), (1344, 800)]
    assert sizes(derive_canvases(stock, 128))[0] == (896, 1152)
    assert sizes(derive_canvases(stock, 1)) == sizes(derive_canvases(stock, 32))


def test_canvases_of_padded_pictures() -> None:
    letterbox = config({**SMALL, "scale": (64, 64)}, {"type": "Pad", "size": (64, 64), "pad_val": 114})
    assert sizes(derive_canvases(read_pipeline(letterbox), 32)) == [(64, 64)]
    multiple = read_pipeline(config(SMALL, {"type": "Pad", "size_divisor": 48}))
    with pytest.raises(UnsupportedError, match="has 48 and 32"):
        derive_canvases(multiple, 32)
    assert sizes(derive_canvases(multiple, 1)) == [(96, 96)]


@pytest.mark.parametrize("multiple", [1, 32, 64])
def test_every_own_canvas_is_what_the_network_takes(multiple: int) -> None:
    rule = read_pipeline(config(STOCK)).resize
    canvases = derive_canvases(InputPipeline(rule), multiple)
    _, own = own_canvases(rule, canvases, multiple)
    assert {tuple(canvas) for canvas in sizes(canvases)} < {tuple(canvas) for canvas in sizes(own)}
    assert all(side % math.lcm(multiple, 32) == 0 for canvas in sizes(own) for side in canvas)


def test_pictures_of_any_size_need_canvases_from_the_user() -> None:
    for steps in ([], [{"type": "Resize", "scale_factor": 0.5}]):
        with pytest.raises(UnsupportedError, match="--canvas"):
            derive_canvases(read_pipeline(config(*steps)), 32)


@given(short=st.integers(16, 900), extra=st.integers(0, 900), height=st.integers(1, 4000), width=st.integers(1, 4000))
def test_every_resized_picture_fits_a_canvas_unshrunk(short: int, extra: int, height: int, width: int) -> None:
    rule = ResizeRule(short_side=short, long_side=short + extra, interpolation="opencv_bilinear")
    fit = fit_picture((height, width), rule=rule, canvases=derive_canvases(InputPipeline(rule), 32))
    factor = min(rule.long_side / max(height, width), rule.short_side / min(height, width))
    assert fit.resized_hw == tuple(max(1, int(side * factor + 0.5)) for side in (height, width))


def test_canvases_that_the_user_names() -> None:
    canvases = sort_canvases([parse_canvas("320X256"), parse_canvas("64x64"), parse_canvas("64x64")])
    assert sizes(canvases) == [(64, 64), (320, 256)]


@pytest.mark.parametrize("text", ["", "256", "256x", "100x320", "0x32", "-32x32", "256x320x3"])
def test_canvases_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        parse_canvas(text)
