"""Draws detections on a picture: boxes with label, confidence and iou."""

import colorsys
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from dirdet.detections import Detection

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}
# Hues a golden ratio apart stay distinct however many classes there are.
GOLDEN_RATIO = 0.618034


def caption(detection: Detection) -> str:
    """What is written at a box."""
    words = f"{detection.label} {detection.confidence:.2f}"
    return words if detection.iou is None else f"{words} iou {detection.iou:.2f}"


def draw_detections(picture: Image.Image, detections: Sequence[Detection]) -> Image.Image:
    """A copy of an RGB picture with the detections on it, the most confident on top.

    Args:
        picture: upright.
        detections: of that picture, most confident first.
    """
    drawn = picture.copy()
    brush = ImageDraw.Draw(drawn)
    # In proportion to the picture, so that a large one shown small can still be read.
    line = max(1, round(min(picture.size) / 250))
    font = ImageFont.load_default(size=max(10, round(min(picture.size) / 32)))
    for detection in reversed(detections):
        colour = _colour(detection.class_id)
        x1, y1, x2, y2 = (round(side) for side in detection.box_xyxy)
        brush.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=line)
        text = caption(detection)
        left, top, right, bottom = brush.textbbox((0, 0), text, font=font)
        width, height = round(right - left) + 2 * line, round(bottom - top) + 2 * line
        # Above the box; inside it where there is no room above; never beyond the picture's right edge.
        x = max(0, min(x1, picture.width - width))
        y = y1 - height if y1 >= height else y1
        brush.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
        brush.text((x + line - left, y + line - top), text, fill="black", font=font)
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
