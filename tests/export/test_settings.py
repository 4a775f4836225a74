"""What a config says of pictures and classes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from dirdet.bundle import CanvasSize, ResizeRule
from dirdet.canvas import fit_picture
from dirdet_export.errors import UnsupportedError
from dirdet_export.settings import derive_canvases, parse_canvas, read_categories, read_resize_rule, sort_canvases


def config(resize: dict[str, Any] | None = None, **dataset: Any) -> Config:
    pipeline = [{"type": "LoadImageFromFile"}, *([resize] if resize else [])]
    return Config({"test_dataloader": {"dataset": {"pipeline": pipeline, **dataset}}})


def sizes(canvases: list[CanvasSize]) -> list[tuple[int, int]]:
    return [(canvas.height, canvas.width) for canvas in canvases]


@pytest.mark.parametrize(("backend", "expected"), [("pillow", "antialiased"), ("cv2", "bilinear"), (None, "bilinear")])
def test_resize_rule(backend: str | None, expected: str) -> None:
    resize: dict[str, Any] = {"type": "Resize", "scale": (1333, 800), "keep_ratio": True}
    rule = read_resize_rule(config(resize | ({"backend": backend} if backend else {})))
    assert (rule.short_side, rule.long_side, rule.interpolation) == (800, 1333, expected)


def test_resize_rule_below_a_wrapped_data_set() -> None:
    inner = config({"type": "Resize", "scale": (320, 256), "keep_ratio": True}).test_dataloader.dataset
    cfg = Config({"test_dataloader": {"dataset": {"type": "RepeatDataset", "dataset": inner}}})
    assert read_resize_rule(cfg).long_side == 320


@pytest.mark.parametrize(
    ("resize", "named"),
    [
        (None, "has 0"),
        ({"type": "Resize", "scale": (320, 256)}, "keep_ratio=False"),
        ({"type": "Resize", "scale": 320, "keep_ratio": True}, "scale=320"),
        ({"type": "Resize", "scale": (320, 256), "keep_ratio": True, "interpolation": "area"}, "area"),
    ],
)
def test_resizing_that_a_bundle_cannot_express(resize: dict[str, Any] | None, named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        read_resize_rule(config(resize))


def test_canvases_of_the_two_kinds_of_config() -> None:
    scenes = ResizeRule(short_side=256, long_side=320, interpolation="antialiased")
    stock = ResizeRule(short_side=800, long_side=1333, interpolation="bilinear")
    assert sizes(derive_canvases(scenes)) == [(256, 320), (320, 256)]
    assert sizes(derive_canvases(stock)) == [(800, 1088), (1088, 800), (800, 1344), (1344, 800)]


@given(short=st.integers(16, 900), extra=st.integers(0, 900), height=st.integers(1, 4000), width=st.integers(1, 4000))
def test_every_resized_picture_fits_a_canvas_unshrunk(short: int, extra: int, height: int, width: int) -> None:
    rule = ResizeRule(short_side=short, long_side=short + extra, interpolation="bilinear")
    fit = fit_picture((height, width), rule=rule, canvases=derive_canvases(rule))
    factor = min(rule.long_side / max(height, width), rule.short_side / min(height, width))
    assert fit.resized_hw == tuple(max(1, int(side * factor + 0.5)) for side in (height, width))


def test_canvases_that_the_user_names() -> None:
    canvases = sort_canvases([parse_canvas("320X256"), parse_canvas("64x64"), parse_canvas("64x64")])
    assert sizes(canvases) == [(64, 64), (320, 256)]


@pytest.mark.parametrize("text", ["", "256", "256x", "100x320", "0x32", "-32x32", "256x320x3"])
def test_canvases_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        parse_canvas(text)


def test_category_numbers_from_the_annotation_file(tmp_path: Path) -> None:
    (tmp_path / "val.json").write_text(json.dumps({"categories": [{"id": 7, "name": "b"}, {"id": 9, "name": "a"}]}))
    cfg = config(data_root=str(tmp_path), ann_file="val.json", metainfo={"classes": ("a", "b")})
    assert [(c.name, c.category_id) for c in read_categories(cfg, classes=2)] == [("a", 9), ("b", 7)]


def test_category_numbers_of_coco_have_gaps() -> None:
    categories = read_categories(config(type="CocoDataset"), classes=80)
    assert (categories[0].name, categories[0].category_id) == ("person", 1)
    assert (categories[11].name, categories[11].category_id) == ("stop sign", 13)
    assert (categories[79].name, categories[79].category_id) == ("toothbrush", 90)


def test_category_numbers_of_unknown_classes_count_from_one() -> None:
    categories = read_categories(config(metainfo={"classes": ("nut", "bolt")}), classes=2)
    assert [category.category_id for category in categories] == [1, 2]


def test_another_number_of_names_than_classes() -> None:
    with pytest.raises(UnsupportedError, match=r"names of 3 classes.*found 2"):
        read_categories(config(metainfo={"classes": ("nut", "bolt")}), classes=3)
