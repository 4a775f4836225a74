"""What another project's server does with a picture: the work that dirdet does, in an environment without dirdet."""

# ruff: noqa: ANN401

import json
import os
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

# [height, width] of the canvas, and what the fake engine finds on each.
CANVAS_HW: tuple[int, int] = tuple(json.loads(os.environ["BENCH_CANVAS_HW"]))
DETECTIONS: list[dict[str, Any]] = json.loads(os.environ["BENCH_DETECTIONS"])
# "1": decode JPEGs at the scale that is needed, which neither project's documentation shows.
SCALED = os.environ.get("BENCH_SCALED") == "1"


def place(file: BinaryIO) -> Any:
    """The canvas [H, W, 3] uint8 with the resized picture at its top left, and the picture's width and height."""
    picture = Image.open(file)
    width, height = picture.size
    factor = min(CANVAS_HW[0] / height, CANVAS_HW[1] / width)
    small_wh = (round(width * factor), round(height * factor))
    if SCALED:
        picture.draft("RGB", (int(width * factor), int(height * factor)))
    small = picture.convert("RGB").resize(small_wh, Image.Resampling.BILINEAR)
    canvas = np.zeros((*CANVAS_HW, 3), np.uint8)
    canvas[: small.height, : small.width] = np.asarray(small)
    return canvas, (width, height)


def infer(canvases: Any) -> list[Any]:
    """Detections of each canvas [B, H, W, 3]."""
    return [DETECTIONS for _ in canvases]


def answer(size_wh: tuple[int, int], detections: Any) -> dict[str, Any]:
    """What POST /detect answers with."""
    width, height = size_wh
    image = {"name": "image", "width": width, "height": height, "detections": detections}
    return {"detector": {"name": "nothing"}, "images": [image]}
