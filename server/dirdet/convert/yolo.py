"""Converts results to YOLO's labels: a text file for each picture, and the YAML file with the class names."""

import json
from collections.abc import Sequence

from dirdet.convert.common import Score, detections_of, score_of
from dirdet.convert.image_result import ImageResult

# 1e-9 of the side of the largest accepted picture is far below a hundredth of a pixel.
DIGITS = 9


def to_yolo(result: ImageResult, *, score: Score | None = None) -> str:
    """Returns one line for each detection: class_id, centre x and y, width, height, relative to the picture; no masks.

    Args:
        result: of one picture; without detections the text is empty, as YOLO marks a picture without objects.
        score: the figure that becomes a sixth column, as in Ultralytics' predictions; None writes the five columns that
            training accepts.

    Raises:
        ResultsError: the picture could not be read, or the detector does not report the figure.
    """
    lines: list[str] = []
    for each in detections_of(result):
        x1, y1, x2, y2 = each.box_xyxy
        sides = (
            (x1 + x2) / 2 / result.width,
            (y1 + y2) / 2 / result.height,
            (x2 - x1) / result.width,
            (y2 - y1) / result.height,
        )
        numbers = [f"{side:.{DIGITS}f}".rstrip("0").rstrip(".") for side in sides]
        if score is not None:
            numbers.append(f"{score_of(each, score):.6g}")
        lines.append(f"{each.class_id} {' '.join(numbers)}\n")
    return "".join(lines)


def yolo_yaml(names: Sequence[str]) -> str:
    """Returns data.yaml, for a folder beside `images/` and `labels/`; train and val both name all pictures.

    Args:
        names: of the classes, by class_id.
    """
    # A JSON string is a valid YAML string.
    listed = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(names))
    return f"train: images\nval: images\nnames:\n{listed}"
