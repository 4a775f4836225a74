"""Draws detections on a picture: boxes with label, confidence and iou, and masks."""

import colorsys
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from dirdet.detection import Detection
from dirdet.labels import place_labels

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}
# Hues a golden ratio apart stay distinct however many classes there are.
GOLDEN_RATIO = 0.618034
# Of 255: what is under a mask can still be seen.
MASK_OPACITY = 96


def caption(detection: Detection) -> str:
    """What is written at a box."""
    words = f"{detection.label} {detection.confidence:.2f}"
    return words if detection.iou is None else f"{words} iou {detection.iou:.2f}"


def draw_detections(picture: Image.Image, detections: Sequence[Detection]) -> Image.Image:
    """A copy of an RGB picture with the detections on it, the most confident on top; labels keep clear of each other.

    Args:
        picture: upright.
        detections: of that picture, most confident first.
    """
    # Most servers never draw, and would load Pillow's fonts and colours for nothing when they start.
    from PIL import ImageDraw, ImageFont

    drawn = picture.copy()
    for detection in reversed(detections):
        if detection.mask is not None:
            veil = Image.fromarray(detection.mask.decode() * np.uint8(MASK_OPACITY))
            drawn.paste(_colour(detection.class_id), mask=veil)
    brush = ImageDraw.Draw(drawn)
    # In proportion to the picture, so that a large one shown small can still be read.
    line = max(1, round(min(picture.size) / 250))
    font = ImageFont.load_default(size=max(10, round(min(picture.size) / 32)))
    for detection in reversed(detections):
        x1, y1, x2, y2 = (round(side) for side in detection.box_xyxy)
        corners = (x1, y1, max(x1, x2 - 1), max(y1, y2 - 1))
        brush.rectangle(corners, outline=_colour(detection.class_id), width=line)
    captions = [caption(detection) for detection in detections]
    inks = [brush.textbbox((0, 0), text, font=font) for text in captions]
    sizes = [(round(ink[2] - ink[0]) + 2 * line, round(ink[3] - ink[1]) + 2 * line) for ink in inks]
    places = place_labels([detection.box_xyxy for detection in detections], sizes, picture_wh=picture.size)
    # After all boxes, so that no edge crosses a label; where labels cover each other, the most confident is on top.
    labels = list(zip(detections, captions, inks, sizes, places, strict=True))
    for detection, text, ink, (width, height), (x, y) in reversed(labels):
        brush.rectangle((x, y, x + width - 1, y + height - 1), fill=_colour(detection.class_id))
        brush.text((x + line - ink[0], y + line - ink[1]), text, fill="black", font=font)
    return drawn


def encode(picture: Image.Image, media_type: str) -> bytes:
    """The picture as a file of one of `FORMATS`."""
    file = BytesIO()
    picture.save(file, FORMATS[media_type], quality=90)
    return file.getvalue()


def _colour(class_id: int) -> tuple[int, int, int]:
    """Light enough for black text."""
    red, green, blue = colorsys.hls_to_rgb(class_id * GOLDEN_RATIO % 1, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)
