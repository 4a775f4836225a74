"""Answers that the API's documentation shows; the shipped detector gave them."""

from typing import Any

_OUTER_BOX = [0.0, 0.0, 451.0, 300.0]
_DETECTOR = {
    "name": "scenes",
    "architecture": "FasterRCNN (EfficientNetLite0, FPN, DIR)",
    "localization_confidence": "dir",
    "checkpoint_sha256": "13da0a78ee21604f97d769d0e940fe9088fdb301b4ff859042d7360a42c18d65",
}
_NAMED = {"label": "mammal", "class_id": 1, "category_id": 2}
_DETECTION = _NAMED | {
    "box": [31.53, 9.94, 386.81, 282.39],
    "score": 0.67237,
    "purity": 0.94412,
    "integrity": 0.8879,
    "iou": 0.84356,
    "confidence": 0.75312,
    "score_calibrated": 0.25458,
    "iou_calibrated": 0.80777,
    "outer_box": _OUTER_BOX,
    "mask": None,
}
_CANDIDATES = [
    _NAMED
    | {
        "box": [31.5271097, 9.94168134, 386.807846, 282.386737],
        "score": 0.672366977,
        "purity": 0.944116771,
        "integrity": 0.887897611,
        "iou": 0.843563651,
        "score_calibrated": 0.254575707,
        "iou_calibrated": 0.807771078,
        "outer_box": _OUTER_BOX,
    },
    _NAMED
    | {
        "box": [47.5518579, 12.5790986, 376.008244, 282.206919],
        "score": 0.643388748,
        "purity": 0.941338539,
        "integrity": 0.853058696,
        "iou": 0.809999049,
        "score_calibrated": 0.254575707,
        "iou_calibrated": 0.75056189,
        "outer_box": _OUTER_BOX,
    },
]


def _answer(candidates: list[dict[str, Any]] | None) -> dict[str, Any]:
    image = {"name": "chelsea.png", "width": 451, "height": 300, "detections": [_DETECTION], "candidates": candidates}
    return {"detector": _DETECTOR, "images": [image]}


ANSWERS: dict[str, dict[str, Any]] = {
    "detections": {"summary": "?score_threshold=0.6", "value": _answer(None)},
    "candidates": {
        "summary": "?score_threshold=0.6&candidates=true: of two boxes of a cat the one that fits better is kept",
        "value": _answer(_CANDIDATES),
    },
}
