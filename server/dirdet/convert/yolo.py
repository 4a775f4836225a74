"""Results as YOLO's labels: a text file to a picture, and the YAML file that names the classes."""

import json
from collections.abc import Sequence

from dirdet.client.results import ImageResult
from dirdet.convert.common import Score, detections_of, score_of

# 1e-9 of the largest picture that is read is far below a hundredth of a pixel.
DIGITS = 9


def to_yolo(result: ImageResult, *, score: Score | None = None) -> str:
    """A line to a detection: class_id, centre x and y, width, height, relative to the picture; masks are left out.

    Args:
        result: of one picture; without detections the text is empty, as YOLO has a picture without objects.
        score: which figure becomes a sixth column, as Ultralytics' predictions have it; None writes the five columns
            that training takes.

    Raises:
        ResultsError: the picture could not be read, or the detector does not tell the figure.
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
    """The data.yaml beside `images/` and `labels/`; all pictures train and validate until they are divided.

    Args:
        names: of the classes, by class_id.
    """
    # A JSON string is a YAML string.
    listed = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(names))
    return f"train: images\nval: images\nnames:\n{listed}"
