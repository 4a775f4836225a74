"""Detections drawn on a picture."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dirdet.detection import Detection
from dirdet.detection.draw import caption, draw_detections, encode
from dirdet.pictures.formats import ANSWERED


def detection(box_xyxy: tuple[float, float, float, float], iou: float | None = 0.5) -> Detection:
    return Detection(
        box_xyxy=box_xyxy,
        label="bird",
        class_id=0,
        category_id=1,
        score=0.9,
        purity=iou,
        integrity=iou,
        iou=iou,
        confidence=0.7,
    )


def test_no_detections_leave_the_picture_as_it_was() -> None:
    picture = Image.new("RGB", (40, 30), "grey")
    np.testing.assert_array_equal(draw_detections(picture, []), picture)


def test_the_picture_given_is_not_changed() -> None:
    picture = Image.new("RGB", (40, 30), "grey")
    draw_detections(picture, [detection((0, 0, 40, 30))])
    np.testing.assert_array_equal(picture, Image.new("RGB", (40, 30), "grey"))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (400, 300)])
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.2, 0.2, 0.2, 0.2), (300, 200, 400, 300), (0, 0, 400, 300)])
def test_any_box_on_any_picture(size: tuple[int, int], box: tuple[float, float, float, float]) -> None:
    drawn = draw_detections(Image.new("RGB", size), [detection(box)])
    assert drawn.size == size


def test_the_box_is_outlined_where_it_is() -> None:
    drawn = np.asarray(draw_detections(Image.new("RGB", (400, 300)), [detection((100, 100, 300, 250))]))
    assert drawn[150, 100].any()
    assert drawn[150, 299].any()
    assert drawn[249, 200].any()
    assert not drawn[150, 200].any()
    assert not drawn[252:].any()


def test_labels_keep_clear_of_each_other() -> None:
    picture = Image.new("RGB", (400, 300))
    one, other = detection((100, 100, 300, 250)), detection((104, 103, 303, 252))
    alone = np.asarray(draw_detections(picture, [one]))
    both = np.asarray(draw_detections(picture, [one, other]))
    label = (slice(80, 100), slice(100, 200))
    assert alone[label].any()
    np.testing.assert_array_equal(alone[label], both[label])


def test_the_caption_gives_confidence_and_iou() -> None:
    assert caption(detection((0, 0, 1, 1), 0.5)) == "bird 0.70 IoU 0.50"
    assert caption(detection((0, 0, 1, 1), None)) == "bird 0.70"


@pytest.mark.parametrize("media_type", ANSWERED)
def test_the_file_is_of_the_type_asked_for(media_type: str) -> None:
    drawn = encode(Image.new("RGB", (4, 3)), ANSWERED[media_type].pillow)
    assert Image.open(BytesIO(drawn)).get_format_mimetype() == media_type
