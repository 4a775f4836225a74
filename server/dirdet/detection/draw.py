"""Draws detections on a picture: boxes with label, confidence and IoU, and masks."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from dirdet.detection import Detection
from dirdet.detection.colours import colour_of
from dirdet.detection.labels import place_labels

# Of 255: the picture stays visible below a mask.
MASK_OPACITY = 96


def caption(detection: Detection) -> str:
    """The text of a box's label; calibrated figures where there are any."""
    sure = detection.confidence if detection.score_calibrated is None else detection.score_calibrated
    iou = detection.iou if detection.iou_calibrated is None else detection.iou_calibrated
    words = f"{detection.label} {sure:.2f}"
    return words if iou is None else f"{words} IoU {iou:.2f}"


def draw_detections(picture: Image.Image, detections: Sequence[Detection]) -> Image.Image:
    """A copy of an RGB picture with the detections on it, the most confident on top; labels keep clear of each other.

    Args:
        picture: upright.
        detections: of that picture, most confident first.
    """
    # Imported here: most servers never draw and need not load Pillow's fonts and colours.
    from PIL import ImageDraw, ImageFont

    drawn = picture.copy()
    for detection in reversed(detections):
        if detection.mask is not None:
            veil = Image.fromarray(detection.mask.decode() * np.uint8(MASK_OPACITY))
            drawn.paste(colour_of(detection.class_id), mask=veil)
    brush = ImageDraw.Draw(drawn)
    # In proportion to the picture, so that labels of a large picture stay readable when it is shown small.
    line = max(1, round(min(picture.size) / 250))
    font = ImageFont.load_default(size=max(10, round(min(picture.size) / 32)))
    for detection in reversed(detections):
        x1, y1, x2, y2 = (round(side) for side in detection.box_xyxy)
        corners = (x1, y1, max(x1, x2 - 1), max(y1, y2 - 1))
        brush.rectangle(corners, outline=colour_of(detection.class_id), width=line)
    captions = [caption(detection) for detection in detections]
    inks = [brush.textbbox((0, 0), text, font=font) for text in captions]
    sizes = [(round(ink[2] - ink[0]) + 2 * line, round(ink[3] - ink[1]) + 2 * line) for ink in inks]
    places = place_labels([detection.box_xyxy for detection in detections], sizes, picture_wh=picture.size)
    # After all boxes, so that no edge crosses a label; of overlapping labels the most confident is on top.
    labels = list(zip(detections, captions, inks, sizes, places, strict=True))
    for detection, text, ink, (width, height), (x, y) in reversed(labels):
        brush.rectangle((x, y, x + width - 1, y + height - 1), fill=colour_of(detection.class_id))
        brush.text((x + line - ink[0], y + line - ink[1]), text, fill="black", font=font)
    return drawn


def encode(picture: Image.Image, pillow_format: str) -> bytes:
    """The picture as a file."""
    file = BytesIO()
    picture.save(file, pillow_format, quality=90)
    return file.getvalue()
