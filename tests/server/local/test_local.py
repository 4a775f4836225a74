"""The detector in this process answers as a gateway does, to every kind of picture."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dirdet
from dirdet.client import PictureResult
from dirdet.detection.ranking import iou_with
from dirdet.errors import BundleError, NotAPictureError, NotFoundError, ParameterError, PictureError
from dirdet.local.detector import LocalDetector

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "example.jpg"


@pytest.fixture(scope="module")
def local(bundle_folder: Path) -> LocalDetector:
    return dirdet.load(bundle_folder)


def test_the_callers_warnings_stay_as_they_are(bundle_folder: Path) -> None:
    before = list(warnings.filters)
    dirdet.load(bundle_folder).detect(EXAMPLE)
    assert warnings.filters == before


def test_every_kind_of_picture_gives_the_same_boxes(local: LocalDetector) -> None:
    upright = Image.open(EXAMPLE).convert("RGB")
    kinds = [EXAMPLE, str(EXAMPLE), EXAMPLE.read_bytes(), BytesIO(EXAMPLE.read_bytes()), upright, np.asarray(upright)]
    # Of a picture in memory all pixels are there: a file's are too if it is decoded exactly.
    first, *others = [local.detect(picture, decode="exact") for picture in kinds]
    assert len(first) > 0
    for other in others:
        np.testing.assert_array_equal(other.boxes_xyxy, first.boxes_xyxy)
        np.testing.assert_array_equal(other.ious, first.ious)
    assert (first.width, first.height) == upright.size
    assert set(first.labels) <= set(local.classes)


def test_many_pictures_keep_their_order_and_a_broken_one_its_error(local: LocalDetector, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    pictures = [EXAMPLE, tmp_path / "broken.jpg", tmp_path / "none.jpg", EXAMPLE]
    results = list(local.detect_iter(iter(pictures), per_batch=3))
    assert [type(each.error) for each in results] == [type(None), NotAPictureError, NotFoundError, type(None)]
    assert [each.name for each in results] == [str(each) for each in pictures]
    np.testing.assert_array_equal(results[0].boxes_xyxy, results[3].boxes_xyxy)
    assert local.detect_many([]) == []


def test_parameters_are_a_request_s(local: LocalDetector) -> None:
    everything = local.detect(EXAMPLE, score_threshold=0.0, max_detections=3)
    assert len(everything) == 3
    assert local.detect(EXAMPLE, min_iou=1.0).detections == ()
    with pytest.raises(ParameterError, match="score_threshold"):
        local.detect(EXAMPLE, score_threshold=2)
    with pytest.raises(ParameterError, match="no class 'dragon'"):
        local.detect(EXAMPLE, classes=["dragon"])


def test_a_large_picture_is_cut_into_tiles(local: LocalDetector) -> None:
    """Four copies of a photograph side by side: each object is found in each."""
    example = Image.open(EXAMPLE).convert("RGB")
    width, height = example.size
    mosaic = Image.new("RGB", (2 * width, 2 * height))
    for left in (0, width):
        for top in (0, height):
            mosaic.paste(example, (left, top))
    one = local.detect(example, score_threshold=0.5)
    four = local.detect(mosaic, tiles=f"{width}x{height}:0", score_threshold=0.5)
    for left in (0, width):
        for top in (0, height):
            for box in one.boxes_xyxy + np.array([left, top, left, top]):
                assert iou_with(box, four.boxes_xyxy).max() > 0.8  # the whole picture may show it too, less sharply
    assert local.detect(example, tiles=f"{width}x{height}").detections == local.detect(example).detections
    with pytest.raises(ParameterError, match="tiles"):
        local.detect(example, tiles="large")


@pytest.mark.parametrize(("picture", "error"), [(7, ParameterError), (b"", PictureError), (Path("none"), PictureError)])
def test_what_is_no_picture_is_refused(local: LocalDetector, picture: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        local.detect(picture)
    with pytest.raises(ParameterError, match="found one"):
        local.detect_iter(EXAMPLE)  # pyright: ignore[reportArgumentType]


def test_a_folder_without_a_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=str(tmp_path)):
        dirdet.load(tmp_path)


def shown(result: PictureResult) -> str:
    """What a notebook asks for."""
    return result._repr_html_()  # pyright: ignore[reportPrivateUsage]


def test_a_result_is_drawn_and_shown_in_a_notebook(local: LocalDetector) -> None:
    result = local.detect(Image.open(EXAMPLE))
    assert result.plot().size == (result.width, result.height)
    assert np.any(np.asarray(result.plot()) != np.asarray(Image.open(EXAMPLE).convert("RGB")))
    page = shown(result)
    assert page.count("<tr>") == 1 + min(len(result), 20) + (len(result) > 20)
    assert "data:image/jpeg;base64," in page


def test_names_and_errors_are_text_in_a_notebook(local: LocalDetector, tmp_path: Path) -> None:
    path = tmp_path / "<script>.jpg"
    path.write_bytes(b"no picture")
    [result] = local.detect_many([path])
    assert "<script>" not in shown(result)
    with pytest.raises(NotAPictureError):
        result.plot()


def test_only_paths_are_kept_of_many(local: LocalDetector) -> None:
    """Frames of a video would fill the memory."""
    [by_path, by_bytes] = local.detect_many([EXAMPLE, EXAMPLE.read_bytes()])
    assert by_path.picture == EXAMPLE
    assert by_bytes.picture is None
    with pytest.raises(ParameterError, match="read again"):
        by_bytes.plot()


def test_how_a_file_is_decoded_is_told(local: LocalDetector) -> None:
    scaled, exact = (local.detect(EXAMPLE, decode=decode) for decode in ("scaled", "exact"))
    assert (scaled.decoded_scale, exact.decoded_scale) == (0.5, 1)
    assert local.detect(Image.open(EXAMPLE), decode="scaled").decoded_scale == 1
    ious = iou_with(scaled.boxes_xyxy[0], exact.boxes_xyxy)
    assert ious.max() > 0.9
