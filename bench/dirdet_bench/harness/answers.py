"""A detector's answers to many picture files, in the form from which AP is measured."""

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

from dirdet.bundle.interpolation import Decode
from dirdet.detection import Detection
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.tensors import MAX_BATCH
from dirdet.pictures.canvas import PlacedPicture, place_file
from dirdet_bench.harness.turns import progress

# Of a score: AP needs the doubtful boxes too.
LEAST_SCORE = 0.05


class Answers:
    """What a detector finds on pictures.

    Attributes:
        ids: of the pictures.
        placed: where each lies on its canvas, without the pixels.
        found: in each, the detections with a score of at least `LEAST_SCORE`.
    """

    def __init__(self, detector: Detector, contents: Mapping[int, bytes], *, decode: Decode, label: str) -> None:
        """Detects on all of them.

        Args:
            detector: detects.
            contents: picture files by id.
            decode: how JPEGs are decoded.
            label: of the bar that shows the progress.
        """
        self.ids = list(contents)
        self.placed: list[PlacedPicture] = []
        self.found: list[list[Detection]] = []
        settings = detector.settle(DetectOptions(score_threshold=LEAST_SCORE, decode=decode))
        for start in progress(-(-len(self.ids) // MAX_BATCH), label):
            some = self.ids[start * MAX_BATCH : (start + 1) * MAX_BATCH]
            placed = [place_file(BytesIO(contents[key]), detector.manifest, decode=decode) for key in some]
            self.found += [each.detections for each in detector.detect_placed(placed, settings)]
            self.placed += [replace(each, canvas=each.canvas[:0]) for each in placed]

    def results(self, enlarged: int = 1) -> list[dict[str, Any]]:
        """COCO's results, in pixels of the pictures before their sides were made so many times as long."""
        return [
            {
                "image_id": key,
                "category_id": each.category_id,
                "bbox": [x1 / enlarged, y1 / enlarged, (x2 - x1) / enlarged, (y2 - y1) / enlarged],
                "score": each.confidence,
            }
            for key, found in zip(self.ids, self.found, strict=True)
            for each in found
            for x1, y1, x2, y2 in [each.box_xyxy]
        ]
