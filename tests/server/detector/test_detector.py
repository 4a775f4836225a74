"""The detector: which canvases an engine is given for which pictures."""

from collections.abc import Callable
from typing import Any

from PIL import Image

from dirdet.detector.detector import Detector

Rectangles = Callable[..., Image.Image]


def test_warming_up_detects_on_every_canvas(detector: Detector, engine: Any) -> None:
    detector.warm_up()
    assert [batch.canvas.shape for batch in engine.batches] == [(1, 192, 256, 3), (1, 256, 192, 3)]


def test_pictures_of_one_canvas_share_an_inference(detector: Detector, engine: Any, rectangles: Rectangles) -> None:
    pictures = [rectangles(640, 480), rectangles(480, 640, red=(50, 60, 90, 90)), *[rectangles(320, 240)] * 9]
    found = detector.detect(pictures)
    assert [len(each) for each in found] == [1] * 11
    assert [len(batch.canvas) for batch in engine.batches] == [8, 2, 1]
