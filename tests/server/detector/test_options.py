"""What may be asked of a detector."""

import pytest

from dirdet.bundle.bundle import Manifest
from dirdet.detector.options import DetectOptions, settle
from dirdet.errors import ParameterError


def test_what_is_absent_the_bundle_decides(manifest: Manifest) -> None:
    settings = settle(DetectOptions(), manifest)
    assert (settings.score_threshold, settings.nms_iou_threshold, settings.iou_weight) == (0.05, 0.5, 0.5)
    assert (settings.max_detections, settings.min_iou, settings.class_ids) == (3, None, None)


def test_the_bundle_decides_over_which_classes_nms_goes(manifest: Manifest) -> None:
    assert settle(DetectOptions(), manifest).nms == "per-class"
    agnostic = manifest.model_copy(update={"defaults": manifest.defaults.model_copy(update={"nms": "class-agnostic"})})
    assert settle(DetectOptions(), agnostic).nms == "class-agnostic"
    assert settle(DetectOptions(nms="per-class"), agnostic).nms == "per-class"


def test_the_bundle_decides_how_jpegs_are_decoded(manifest: Manifest) -> None:
    assert settle(DetectOptions(), manifest).decode == "exact"
    assert settle(DetectOptions(decode="scaled"), manifest).decode == "scaled"
    scaled = manifest.model_copy(update={"defaults": manifest.defaults.model_copy(update={"decode": "scaled"})})
    assert settle(DetectOptions(), scaled).decode == "scaled"
    assert settle(DetectOptions(tiles="auto"), scaled).decode == "exact"
    with pytest.raises(ParameterError, match="decode: tiles are cut from all pixels"):
        settle(DetectOptions(tiles="auto", decode="scaled"), scaled)


def test_zero_is_not_absent(manifest: Manifest) -> None:
    settings = settle(DetectOptions(score_threshold=0, nms_iou_threshold=0, iou_weight=0), manifest)
    assert (settings.score_threshold, settings.nms_iou_threshold, settings.iou_weight) == (0, 0, 0)


def test_never_more_than_the_detector_gives(manifest: Manifest) -> None:
    assert settle(DetectOptions(max_detections=1000), manifest).max_detections == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("score_threshold", 1.1),
        ("nms_iou_threshold", -0.1),
        ("min_iou", float("nan")),
        ("iou_weight", "much"),
        ("max_detections", 0),
        ("max_detections", 1.5),
        ("nms", "agnostic"),
        ("score", 0.5),
    ],
)
def test_a_bad_value_is_named(name: str, value: object) -> None:
    with pytest.raises(ParameterError, match=name) as caught:
        DetectOptions.checked(**{name: value})
    assert caught.value.parameter == name


def test_an_unknown_class_is_named(manifest: Manifest) -> None:
    with pytest.raises(ParameterError, match=r"no class 'dog'.*expected of red, green, blue"):
        settle(DetectOptions(classes=["red", "dog"]), manifest)


def test_no_classes_are_every_class(manifest: Manifest) -> None:
    assert settle(DetectOptions(classes=[]), manifest).class_ids is None


@pytest.mark.parametrize("classes", ["", [""], [" , "], ["red", ""]])
def test_a_name_that_is_empty_is_no_class(classes: object) -> None:
    with pytest.raises(ParameterError, match="leave it out for all classes") as caught:
        DetectOptions.checked(classes=classes)
    assert caught.value.parameter == "classes"


@pytest.mark.parametrize("options", [DetectOptions(min_iou=0.1), DetectOptions(iou_weight=0.5)])
def test_a_plain_detector_has_no_iou_to_ask_for(options: DetectOptions, manifest: Manifest) -> None:
    plain = manifest.model_copy(update={"localization_confidence": None})
    with pytest.raises(ParameterError, match="predicts no localization confidence"):
        settle(options, plain)


def test_the_plain_detector_is_all_that_a_plain_detector_is(manifest: Manifest) -> None:
    plain = manifest.model_copy(update={"localization_confidence": None})
    assert settle(DetectOptions(), plain).iou_weight == 0
    assert settle(DetectOptions(iou_weight=0), plain).iou_weight == 0
