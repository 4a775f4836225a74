"""Examples for the API's documentation; a test checks each against its schema."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dirdet import errors
from dirdet.api.problems import plain_problem, problem_of
from dirdet.detection import Detection
from dirdet.detection.detection import example
from dirdet.pictures.formats import MEDIA_TYPES, READ_NAMES

BIRD = example(Detection)
DETECTOR = {
    "name": "scenes",
    "architecture": "faster_rcnn",
    "localization_confidence": "dir",
    "checkpoint_sha256": "2f1d3c6a" * 8,
}
BROKEN = errors.BrokenPictureError("the JPEG picture is broken or truncated: image file is truncated")
ANSWER: dict[str, Any] = {
    "detector": DETECTOR,
    "images": [
        {
            "name": "photo.jpg",
            "width": 640,
            "height": 480,
            "decoded_scale": 0.5,
            "detections": [BIRD.to_json()],
            "candidates": None,
        },
        {"name": "broken.jpg", "error": problem_of(BROKEN).to_json()},
    ],
}
# Answers of the shipped detector to the page's example, which `make openapi` writes.
_OF_CAT: dict[str, Any] = json.loads(Path(__file__).with_name("example_answer.json").read_text(encoding="utf-8"))
_WITHOUT = {**_OF_CAT, "images": [{**each, "candidates": None} for each in _OF_CAT["images"]]}
ANSWERS: dict[str, dict[str, Any]] = {
    "detections": {"summary": "?score_threshold=0.6", "value": _WITHOUT},
    "candidates": {
        "summary": "?score_threshold=0.6&candidates=true: of two boxes of a cat one is kept, as the mean of both",
        "value": _OF_CAT,
    },
}
ABOUT: dict[str, Any] = {
    **{name: value for name, value in DETECTOR.items() if name != "checkpoint_sha256"},
    "limitations": "Learned from cut-outs composed into scenes: on real photographs it misses much.",
    "classes": [{"class_id": 0, "name": "bird", "category_id": 1}, {"class_id": 1, "name": "mammal", "category_id": 2}],
    "canvases": [{"height": 256, "width": 320}, {"height": 320, "width": 256}],
    "resize": {"short_side": 256, "long_side": 320, "interpolation": "antialiased"},
    "defaults": {
        "score_threshold": 0.88,
        "nms_iou_threshold": 0.5,
        "iou_weight": 0.5,
        "nms": "per-class",
        "decode": "scaled",
    },
    "selection": {
        "cluster_by": "score",
        "representative": {"iou_weight": 0.8, "member_iou": 0.7},
        "voting": {"iou_power": 1.0, "spread": 0.025, "iou_threshold": 0.5},
        "report_by": "confidence",
    },
    "max_candidates": 2400,
    "max_detections": 100,
    "mask_threshold": None,
    "quality": {"test_easy_AP": 28.7, "test_easy_AP_by_score": 27.5},
    "calibration": None,
    "provenance": {
        "config": "faster_rcnn_dir_lite0_scenes_shipped",
        "checkpoint_sha256": DETECTOR["checkpoint_sha256"],
        "created": "2026-01-01T00:00:00+00:00",
        "versions": {"dirdet": "0.1.0"},
        "weights_dtype": "float16",
    },
    "model_card": "# Model card: scenes",
    "engine": "ONNX Runtime 1.32.0, CPUExecutionProvider",
    "accepts": {
        "types": list(MEDIA_TYPES),
        "max_bytes": 33554432,
        "max_pixels": 100000000,
        "max_pictures": 64,
        "max_request_bytes": 134217728,
    },
}
# Examples by schema name.
EXAMPLES: dict[str, Any] = {
    "DetectAnswer": ANSWER,
    "DetectorInfo": ABOUT,
    "DetectorList": {"default": "scenes", "detectors": [DETECTOR]},
    "ReloadAnswer": {
        "detectors": [
            {
                "name": "scenes",
                "status": "reloaded",
                "checkpoint_sha256": "7b0e4d91" * 8,
                "previous_checkpoint_sha256": DETECTOR["checkpoint_sha256"],
            }
        ]
    },
    "Health": {"status": "ready"},
}
# Examples by parameter name.
PARAMETERS: dict[str, Any] = {
    "score_threshold": 0.3,
    "nms_iou_threshold": 0.5,
    "nms": "class-agnostic",
    "min_iou": 0.7,
    "iou_weight": 0.5,
    "max_detections": 20,
    "classes": ["bird", "mammal"],
    "decode": "exact",
    "candidates": True,
    "name": "scenes",
    "detector": "scenes",
}
PROBLEMS: Sequence[errors.DirdetError] = (
    errors.NoPictureError("the form has no file in a field 'image'; found 'file'"),
    errors.RequestError("the multipart/form-data body ends before its closing boundary"),
    errors.NotAcceptableError("the answer can be application/json; the request accepts 'text/html'"),
    errors.UnknownDetectorError("there is no detector 'scene'; there is 'scenes'"),
    errors.ReloadError("scenes is served as before: /detectors/scenes/detector.onnx is missing; bundle.json names it"),
    errors.PictureTooLargeError("the picture is 20000 x 10000 = 200 megapixels; at most 100 are accepted"),
    errors.RequestTooLargeError("at most 64 pictures are accepted in one request"),
    errors.NotAPictureError(f"expected a {READ_NAMES} picture; the file begins with '%PDF-1.7'"),
    errors.UnsupportedBodyError("expected Content-Type multipart/form-data with a field 'image'; found text/plain"),
    BROKEN,
    errors.ParameterError("min_iou", "Input should be less than or equal to 1, got '7'"),
    errors.EngineError("the engine is not ready"),
    errors.DeadlineError("the detector did not answer within 10 s"),
)
UNEXPECTED = plain_problem(
    500,
    "the server met an error it did not expect; its log says more",
    instance="urn:uuid:6d0f1c1e-5d0c-4c2b-9f58-3d7b5d2a9d10",
)


def problem_examples() -> dict[int, dict[str, Any]]:
    """OpenAPI's `examples` of problems, by status."""
    found: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for problem in [*map(problem_of, PROBLEMS), UNEXPECTED]:
        found[problem.status][problem.type.rsplit(":", 1)[-1]] = {"summary": problem.title, "value": problem.to_json()}
    return dict(found)
