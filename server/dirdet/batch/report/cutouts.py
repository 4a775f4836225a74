"""Cuts boxes with a margin out of their pictures, as JPEG of a bounded size."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from dirdet.batch.picture_plan import read_plan
from dirdet.batch.report.extremes import Box
from dirdet.errors import DirdetError
from dirdet.pictures.reading import read_picture

# Longer side of a cut-out in pixels, and the margin in parts of the box's longer side.
SIDE = 220
AROUND = 0.25
MAX_BYTES = 16_384
QUALITIES = (85, 60, 30)


def cut_out(plan: Path, boxes: Iterable[Box]) -> dict[Box, bytes | str]:
    """Reads the pictures again; returns a JPEG of each box, or why there is none.

    Args:
        plan: of the job.
        boxes: few; each picture is read once.
    """
    by_position: dict[int, list[Box]] = {}
    for box in boxes:
        by_position.setdefault(box.position, []).append(box)
    found: dict[Box, bytes | str] = {}
    for position, members in sorted(by_position.items()):
        try:
            picture = read_picture(next(read_plan(plan, position)).open())
        except StopIteration:
            found |= dict.fromkeys(members, "the picture is not in the plan")
        except DirdetError as exc:
            found |= dict.fromkeys(members, str(exc))
        except Exception as exc:  # A decoder may fail on a picture that has changed since.
            found |= dict.fromkeys(members, f"cannot be decoded: {type(exc).__name__}")
        else:
            found |= {box: jpeg(picture, box.xyxy) for box in members}
    return found


def jpeg(picture: Image.Image, box_xyxy: tuple[float, float, float, float]) -> bytes:
    """Draws the box with its outline and a margin.

    Args:
        picture: upright, RGB.
        box_xyxy: in its pixels; the part outside the picture is cut off.
    """
    x1, y1, x2, y2 = box_xyxy
    margin = max(8.0, AROUND * max(x2 - x1, y2 - y1))
    width, height = picture.size
    left, top = max(0, min(width - 1, int(x1 - margin))), max(0, min(height - 1, int(y1 - margin)))
    right, bottom = max(left + 1, min(width, round(x2 + margin))), max(top + 1, min(height, round(y2 + margin)))
    cut = picture.crop((left, top, right, bottom))
    scale = SIDE / max(cut.size)
    cut = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))), Image.Resampling.BICUBIC)
    brush = ImageDraw.Draw(cut)
    corners = [(x1 - left) * scale, (y1 - top) * scale, (x2 - left) * scale - 1, (y2 - top) * scale - 1]
    # Light on dark, visible on any background.
    for inset, colour in ((0, "black"), (1, "white")):
        x, y = (min(max(0, corner), limit - 1) + inset for corner, limit in zip(corners[:2], cut.size, strict=True))
        ends = (min(max(0, corner), limit - 1) - inset for corner, limit in zip(corners[2:], cut.size, strict=True))
        x_end, y_end = next(ends), next(ends)
        brush.rectangle((x, y, max(x, x_end), max(y, y_end)), outline=colour, width=4 - 2 * inset)
    return _encoded(cut)


def _encoded(picture: Image.Image) -> bytes:
    data = b""
    for quality in QUALITIES:
        file = BytesIO()
        picture.save(file, "JPEG", quality=quality, optimize=True)
        data = file.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return data
