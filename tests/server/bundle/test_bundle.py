"""A bundle is what it says it is, or it is refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dirdet.bundle.bundle import SCHEMA_VERSION, Bundle, Manifest, sha256_of, write_manifest
from dirdet.errors import BundleError

Edit = Callable[..., Path]


@pytest.fixture
def edited(tmp_path: Path, manifest: Manifest) -> Edit:
    """Writes a bundle of one file whose bundle.json has some fields changed."""

    def write(**changes: object) -> Path:
        (tmp_path / "detector.onnx").write_bytes(b"a network")
        files = {"detector.onnx": sha256_of(tmp_path / "detector.onnx")}
        write_manifest(tmp_path, manifest.model_copy(update={"files": files}))
        text: dict[str, Any] = json.loads((tmp_path / "bundle.json").read_text())
        (tmp_path / "bundle.json").write_text(json.dumps(text | changes))
        return tmp_path

    return write


def test_what_is_written_is_read(edited: Edit, manifest: Manifest) -> None:
    bundle = Bundle.open(edited())
    assert bundle.manifest.categories == manifest.categories
    assert bundle.file("detector.onnx").read_bytes() == b"a network"


def test_a_bundle_from_before_calibration_is_read(edited: Edit) -> None:
    folder = edited()
    text: dict[str, Any] = json.loads((folder / "bundle.json").read_text())
    del text["calibration"]
    (folder / "bundle.json").write_text(json.dumps(text))
    assert Bundle.open(folder).manifest.calibration is None


def test_a_margin_that_the_detector_has_no_integrity_for(edited: Edit) -> None:
    calibration = {
        "detections": {"score": {"pooled": {"x": [0.5], "y": [0.5]}}, "boxes": 100},
        "suggested": {
            "score_threshold": 0.3, "precision": 0.8, "recall": 0.7,
            "min_iou": 0.2, "wrong_removed": 0.5, "right_lost": 0.01,
        },
        "box_margin": {"margin": 0.1, "missing": 1, "coverage": 0.9},
        "annotations": "val.json",
        "matched": 90,
    }  # fmt: skip
    assert Bundle.open(edited(calibration=calibration)).manifest.calibration is not None
    with pytest.raises(BundleError, match=r"box_margin\.missing needs a detector that predicts integrity"):
        Bundle.open(edited(calibration=calibration, localization_confidence=None))


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: it has no bundle\.json"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "\x00"])
def test_a_manifest_that_is_no_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match="cannot be read"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("text", ["[]", "null", "{}"])
def test_a_manifest_of_no_schema(text: str, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match="schema_version is null"):
        Bundle.open(tmp_path)


def test_scaled_decoding_is_for_a_resize_that_reads_every_pixel(edited: Edit) -> None:
    scaled = {"score_threshold": 0.05, "nms_iou_threshold": 0.5, "iou_weight": 0.5, "decode": "scaled"}
    resize = {"short_side": 192, "long_side": 256, "interpolation": "pillow_bilinear"}
    assert Bundle.open(edited(defaults=scaled, resize=resize)).manifest.defaults.decode == "scaled"
    with pytest.raises(BundleError, match=r"defaults\.decode 'scaled' needs .*; found 'opencv_bilinear'"):
        Bundle.open(edited(defaults=scaled, resize=resize | {"interpolation": "opencv_bilinear"}))


def of_score(**knots: list[float]) -> dict[str, object]:
    """A manifest's changes: a calibration of the score by these knots."""
    return {"calibration": {"detections": {"score": {"pooled": knots}}}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, "schema_version is 2, this dirdet reads 1"),
        ({"categories": []}, "categories"),
        ({"canvases": [{"height": 250, "width": 320}]}, r"canvases\.0\.height.*250"),
        ({"extra": 1}, "extra"),
        ({"calibration": {"annotations": "val.json"}}, r"calibration\.detections: Field required"),
        (of_score(x=[0.5, 0.1], y=[0, 1]), r"calibration\.detections\.score\.pooled: .*x must rise strictly"),
        (of_score(x=[0], y=[2]), r"calibration\.detections\.score\.pooled\.y\.0: .*found 2"),
        ({"files": {"detector.onnx": "0" * 64}}, r"detector\.onnx: sha256 is .*, bundle\.json says 0000"),
        ({"files": {"trunk.onnx": "0" * 64}}, r"trunk\.onnx is missing"),
        ({"files": {"../detector.onnx": "0" * 64}}, "leaves the bundle"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], expected: str, edited: Edit) -> None:
    with pytest.raises(BundleError, match=expected):
        Bundle.open(edited(**changes))


def test_a_file_that_the_bundle_lacks(edited: Edit) -> None:
    with pytest.raises(BundleError, match=r"no trunk\.onnx in this bundle; it has detector\.onnx"):
        Bundle.open(edited()).file("trunk.onnx")
