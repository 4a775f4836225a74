"""Detection in tiles: what a picture shows comes back in its own pixels, wherever the seams lie."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dirdet.detection.calibration import Knots
from dirdet.detection.selection import ReportedProduct, Selection
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions, JoinRule
from dirdet.detector.tiles import Tiling
from dirdet.errors import ParameterError, PictureTooLargeError
from dirdet.pictures.regions import Decoded

Box = tuple[int, int, int, int]
Rectangles = Callable[..., Image.Image]


def painted(size_wh: tuple[int, int], **boxes: Box) -> Image.Image:
    picture = Image.new("RGB", size_wh, "white")
    for colour, (x1, y1, x2, y2) in boxes.items():
        ImageDraw.Draw(picture).rectangle((x1, y1, x2 - 1, y2 - 1), fill={"green": "#00ff00"}.get(colour, colour))
    return picture


def found_in(detector: Detector, picture: Image.Image, tiles: str = "auto", **options: Any) -> Any:
    settings = detector.settle(DetectOptions.checked(tiles=tiles, **options))
    return detector.detect_regions(Decoded(picture), settings).detections


@pytest.mark.parametrize("size_wh", [(256, 192), (100, 300), (300, 200), (307, 230)])
def test_a_picture_of_about_a_tile_is_detected_once_as_without_tiles(
    detector: Detector, engine: Any, size_wh: tuple[int, int]
) -> None:
    picture = painted(size_wh, red=(10, 10, 60, 90))
    assert found_in(detector, picture) == detector.detect([picture])[0] != []
    assert [len(batch.canvas) for batch in engine.batches] == [1, 1]


@pytest.mark.parametrize(
    "box",
    [
        (20, 20, 60, 50),  # in one tile
        (240, 60, 290, 110),  # at a seam
        (180, 130, 300, 250),  # on a corner of tiles
        (0, 700, 40, 800),  # in the picture's corner
    ],
)
def test_objects_have_their_own_size_and_place(detector: Detector, box: Box) -> None:
    [found] = found_in(detector, painted((1000, 800), red=box))
    np.testing.assert_allclose(found.box_xyxy, box, atol=1)


def test_an_object_larger_than_a_tile_is_seen_in_the_whole_picture(detector: Detector) -> None:
    [found] = found_in(detector, painted((1000, 800), red=(100, 100, 700, 600)))
    np.testing.assert_allclose(found.box_xyxy, (100, 100, 700, 600), atol=5)  # a pixel of its canvas is 4


def test_each_class_is_joined_by_itself(detector: Detector) -> None:
    boxes: dict[str, Box] = {"red": (240, 60, 290, 110), "green": (400, 140, 470, 190), "blue": (700, 500, 720, 520)}
    found = {each.label: each.box_xyxy for each in found_in(detector, painted((900, 700), **boxes))}
    assert found.keys() == boxes.keys()
    for name, box in boxes.items():
        np.testing.assert_allclose(found[name], box, atol=1)


def test_one_box_a_place_also_where_tiles_are_joined(detector: Detector) -> None:
    picture = painted((1000, 800), red=(30, 30, 200, 180), green=(40, 40, 190, 170))
    assert len(found_in(detector, picture)) == 2
    assert len(found_in(detector, picture, nms="class-agnostic")) == 1


def test_the_wanted_detections_are_chosen_after_joining(detector: Detector) -> None:
    picture = painted((900, 700), red=(240, 60, 290, 110), blue=(700, 500, 720, 520))
    assert [each.label for each in found_in(detector, picture)] == ["blue", "red"]
    assert [each.label for each in found_in(detector, picture, min_iou=0.5)] == ["blue"]
    assert [each.label for each in found_in(detector, picture, max_detections=1)] == ["blue"]
    assert [each.label for each in found_in(detector, picture, classes=["red"])] == ["red"]
    assert found_in(detector, painted((900, 700))) == []


def test_masks_lie_in_the_picture(detector: Detector, engine: Any) -> None:
    engine.masks = True
    box = (240, 60, 290, 110)
    manifest = detector.manifest.model_copy(update={"mask_threshold": 0.5})
    [found] = found_in(Detector(manifest, engine), painted((900, 700), red=box))
    pixels = found.mask.decode()
    assert pixels.shape == (700, 900)
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    np.testing.assert_allclose((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), (240, 60, 290, 85), atol=2)


def test_inferences_share_canvases(detector: Detector, engine: Any) -> None:
    found_in(detector, painted((1000, 800)), "256x192:0")
    # 4 x 5 tiles; 2 x 3 of twice the size, for 800 pixels are more than two of them; and the whole.
    assert [len(batch.canvas) for batch in engine.batches] == [8, 8, 8, 3]


@pytest.mark.parametrize(
    ("text", "tile_wh", "overlap"),
    [("auto", None, 0.2), ("auto:0", None, 0.0), ("640x512", (640, 512), 0.2), ("640x512:0.35", (640, 512), 0.35)],
)
def test_tilings_are_read(text: str, tile_wh: tuple[int, int] | None, overlap: float) -> None:
    assert Tiling.parse(text) == Tiling(tile_wh, overlap)


@pytest.mark.parametrize("text", ["", "640", "x512", "640x512:1", "640x512:0.9", "31x64", "auto:", "640X512", "-1x64"])
def test_other_texts_are_refused_by_name(text: str) -> None:
    with pytest.raises(ParameterError, match=r"^tiles"):
        Tiling.parse(text)


def test_too_many_tiles_are_refused_before_the_work(detector: Detector, engine: Any) -> None:
    with pytest.raises(PictureTooLargeError, match=r"a picture of 9000 x 9000 pixels makes .* tiles of 32 x 32"):
        found_in(detector, Image.new("RGB", (9000, 9000)), "32x32")
    assert engine.batches == []


def test_an_object_that_only_tiles_of_twice_the_size_hold_is_seen_there(detector: Detector) -> None:
    """In the whole picture one of its pixels is 8 of the picture; in a tile of twice the size it is 2."""
    box = (900, 700, 1210, 950)
    [found] = found_in(detector, painted((2048, 1536), red=box))
    np.testing.assert_allclose(found.box_xyxy, box, atol=2)


def report_by(detector: Detector, engine: Any, by: str) -> Detector:
    maps = ReportedProduct(score=Knots(x=[0, 1], y=[0, 0.5]), iou=Knots(x=[0, 1], y=[0, 1]))
    selection = Selection(cluster_by="confidence", representative=None, voting=None, report_by=by, calibration=maps)  # pyright: ignore[reportArgumentType]
    return Detector(detector.manifest.model_copy(update={"selection": selection}), engine)


@pytest.mark.parametrize("by", ["confidence", "score", "calibrated"])
def test_unions_report_what_the_bundle_reports(detector: Detector, engine: Any, by: str) -> None:
    """A bar as long as the picture, one pixel of the whole picture's canvas high: only tiles see it, each a part."""
    engine.least_side = 3
    [found] = found_in(report_by(detector, engine, by), painted((2000, 200), red=(20, 90, 1980, 98)))
    np.testing.assert_allclose(found.box_xyxy, (20, 90, 1980, 98), atol=1)
    expected = {
        "confidence": (found.score * found.iou) ** 0.5,
        "score": found.score,
        "calibrated": 0.5 * found.score * found.iou,
    }
    assert found.confidence == pytest.approx(expected[by], rel=1e-6)


@pytest.mark.parametrize("rule", [rule for rule in get_args(JoinRule) if not rule.startswith("nmm")])
def test_every_rule_joins(detector: Detector, rule: str) -> None:
    """An object in the overlap of two tiles, whole in both; NMM, as SAHI has it, leaves equally scored boxes apart."""
    [found] = found_in(detector, painted((900, 700), red=(210, 60, 240, 90)), join=rule)
    np.testing.assert_allclose(found.box_xyxy, (210, 60, 240, 90), atol=2)


def test_candidates_are_not_of_tiles(detector: Detector) -> None:
    with pytest.raises(ParameterError, match="candidates: are the boxes of one canvas"):
        found_in(detector, painted((900, 700)), candidates=True)


def test_the_score_of_an_object_is_the_mean_over_the_tiles_that_hold_it(detector: Detector, engine: Any) -> None:
    """The engine misses it in the first of two tiles."""
    plain = engine.detect
    shown = painted((400, 190), red=(150, 60, 180, 90))
    [twice] = found_in(detector, shown)
    assert twice.score == pytest.approx(0.9)
    missed: list[int] = []

    def once(batch: Any) -> Any:
        if not missed and len(batch.canvas) > 1:
            missed.append(1)
            batch.canvas[0] = 255
        return plain(batch)

    engine.detect = once
    [found] = found_in(detector, shown)
    assert missed
    assert found.score == pytest.approx(0.45)
    assert found.confidence == pytest.approx((found.score * found.iou) ** 0.5)
    assert found_in(detector, shown, score_threshold=0.5) == [twice]
    missed.clear()
    assert found_in(detector, shown, score_threshold=0.5) == []
