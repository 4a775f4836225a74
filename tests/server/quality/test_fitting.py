"""A calibration keeps its promises on data that it was not fitted on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.detection.calibration import MAX_KNOTS, BoxMargin, Knots
from dirdet.errors import ResultsError
from dirdet.quality.arrays import Floats
from dirdet.quality.calibration_check import candidate_errors, margin_figures, with_calibration
from dirdet.quality.calibration_error import expected_error, reliability
from dirdet.quality.calibration_fit import fit_calibration, fit_knots, fit_margin, needed_margin
from dirdet.quality.detections_file import read_results
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.measure import measure
from dirdet.quality.optional_libraries import library

Split = Callable[[int], tuple[Path, Path]]
Write = Callable[..., Path]
FRACTIONS = st.floats(0, 1)
CATEGORIES = [10, 20, 30]


@pytest.mark.parametrize("power", [0.3, 1, 3])
def test_a_distorted_iou_is_put_right_on_another_split(power: float) -> None:
    generator = np.random.default_rng(0)

    def split() -> tuple[Floats, Floats]:
        expected = generator.uniform(0.5, 1, 4000)
        return expected**power, np.clip(expected + generator.normal(0, 0.05, 4000), 0.5, 1)

    knots = fit_knots(*split())
    told, true = split()
    assert len(knots.x) <= MAX_KNOTS
    assert expected_error(reliability(knots.apply(told), true)) <= 0.02
    if power != 1:
        assert expected_error(reliability(told, true)) > 0.1


def test_a_score_becomes_a_chance() -> None:
    generator = np.random.default_rng(1)
    chance = generator.random((2, 5000))
    right = (generator.random((2, 5000)) < chance).astype(np.float64)
    knots = fit_knots(chance[0] ** 2, right[0])
    assert expected_error(reliability(knots.apply(chance[1] ** 2), right[1])) <= 0.03


@given(pairs=st.lists(st.tuples(FRACTIONS, FRACTIONS), min_size=1, max_size=40))
def test_any_fit_is_a_rising_map_of_few_knots(pairs: list[tuple[float, float]]) -> None:
    told, true = np.array(pairs).T
    knots = fit_knots(told, true)
    mapped = knots.apply(np.linspace(0, 1, 50))
    assert np.all(np.diff(mapped) >= 0)
    assert mapped.min() >= 0
    assert mapped.max() <= 1
    assert len(knots.x) <= MAX_KNOTS


def test_few_points_are_scikit_learns_map() -> None:
    generator = np.random.default_rng(2)
    told, true = generator.random(40), generator.random(40)
    fitted = library("sklearn.isotonic").IsotonicRegression(out_of_bounds="clip").fit(told, true)
    np.testing.assert_allclose(fit_knots(told, true).apply(told), fitted.predict(told), atol=1e-9)


def test_needed_margin_by_hand() -> None:
    box = np.array([[10.0, 10.0, 30.0, 20.0]])
    assert needed_margin(box, np.array([[8.0, 10.0, 30.0, 20.0]])) == pytest.approx([0.1])  # 2 of 20 to the left
    assert needed_margin(box, np.array([[9.0, 10.0, 30.0, 24.0]])) == pytest.approx([0.4])  # 4 of 10 down
    assert needed_margin(box, np.array([[12.0, 11.0, 28.0, 19.0]])) == pytest.approx([-0.1])


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_as_many_objects_are_contained_as_promised(coverage: float) -> None:
    generator = np.random.default_rng(3)

    def split() -> tuple[Floats, Floats]:
        corner, size = generator.uniform(1000, 2000, (4000, 2)), generator.uniform(20, 200, (4000, 2))
        objects = np.hstack([corner, corner + size])
        return objects + generator.normal(0, 0.1, (4000, 4)) * np.hstack([size, size]), objects

    margin = fit_margin(*split(), coverage=coverage)
    boxes, objects = split()
    grown = margin.grow(boxes, (4000, 4000))
    contained = (grown[:, :2] <= objects[:, :2]).all(axis=1) & (grown[:, 2:] >= objects[:, 2:]).all(axis=1)
    assert contained.mean() == pytest.approx(coverage, abs=0.02)


def test_boxes_that_are_sure_to_hold_their_object_grow_less() -> None:
    generator = np.random.default_rng(4)

    def split() -> tuple[Floats, Floats, Floats]:
        """Objects whose right part the box misses, as its integrity says, but for some noise."""
        boxes = np.tile([1000.0, 1000, 1100, 1100], (4000, 1))
        integrity = generator.uniform(0.5, 1, 4000)
        objects = boxes.copy()
        objects[:, 2] = 1000 + 100 / integrity + generator.normal(0, 3, 4000)
        return boxes, objects, integrity

    boxes, objects, integrity = split()
    margin = fit_margin(boxes, objects, coverage=0.9, integrity=integrity)
    one_for_all = fit_margin(boxes, objects, coverage=0.9)
    boxes, objects, integrity = split()
    grown = margin.grow(boxes, (4000, 4000), integrity=integrity)
    contained = grown[:, 2] >= objects[:, 2]
    assert contained.mean() == pytest.approx(0.9, abs=0.02)
    assert grown[:, 2].mean() < one_for_all.grow(boxes, (4000, 4000))[:, 2].mean()


def test_margins_by_hand() -> None:
    margin = BoxMargin(margin=0.1, missing=1, coverage=0.9)
    grown = margin.grow([[10, 10, 30, 20], [10, 10, 30, 20]], (50, 100), integrity=[1, 0.5])
    assert grown == pytest.approx(np.array([[8, 9, 32, 21], [0, 4, 42, 26]]))
    assert margin.grow(np.zeros((0, 4)), (50, 100), integrity=[]).shape == (0, 4)
    with pytest.raises(ValueError, match="needs the boxes' integrity"):
        margin.grow([[10, 10, 30, 20]], (50, 100))


def test_boxes_that_contain_their_objects_need_no_margin() -> None:
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (20, 1))
    assert fit_margin(boxes, boxes + np.array([1, 1, -1, -1]), coverage=0.9).margin == 0


def test_too_few_boxes_promise_nothing() -> None:
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (8, 1))
    with pytest.raises(ResultsError, match=r"needs at least 9 detections .* found 8"):
        fit_margin(boxes, boxes, coverage=0.9)
    assert fit_margin(boxes[:1].repeat(9, axis=0), boxes[:1].repeat(9, axis=0), coverage=0.9).margin == 0


def test_an_outer_box_contains_its_box_and_stays_in_the_picture() -> None:
    grown = BoxMargin(margin=0.5, coverage=0.9).grow([[10, 10, 30, 20], [0, 0, 100, 50]], (50, 100))
    assert grown.tolist() == [[0, 5, 40, 25], [0, 0, 100, 50]]
    assert BoxMargin(margin=0.5, coverage=0.9).grow(np.zeros((0, 4)), (50, 100)).shape == (0, 4)


def test_one_split_calibrates_another(noisy_split: Split) -> None:
    (fit_ann, fit_found), (ann, found) = noisy_split(0), noisy_split(1)
    truth = read_ground_truth(fit_ann)
    calibration = fit_calibration(read_results(fit_found, truth), truth, category_ids=CATEGORIES, coverage=0.9)
    truth = read_ground_truth(ann)
    results = with_calibration(read_results(found, truth), calibration, category_ids=CATEGORIES)
    figures = measure(results, truth).figures
    assert figures["calibration_error/iou"] > 0.08
    assert figures["calibration_error/iou_calibrated"] <= 0.07  # chance alone makes 0.05 of 600, half on nothing
    assert figures["D-ECE/score"] > 0.15
    assert figures["D-ECE/score_calibrated"] <= 0.09  # chance alone makes 0.07 of 600 in 25 bins
    assert figures["LaECE/score_calibrated x iou_calibrated"] < figures["LaECE/score x iou"]
    told = margin_figures(results, truth, calibration)
    assert told["outer_box_coverage"] == pytest.approx(0.9, abs=0.04)
    assert told["outer_box_growth"] > 1


def test_every_candidate_counts_and_large_classes_have_maps_of_their_own(annotations: Write, results: Write) -> None:
    """Of class 10 the figures are the truth's root, of 20 the truth; of 30 there are few boxes; half lie on nothing."""

    def split(seed: int) -> tuple[Path, Path]:
        generator = np.random.default_rng(seed)
        objects: list[tuple[float, ...]] = []
        found: list[dict[str, Any]] = []
        for picture in range(1, 121):
            for place, category in enumerate((10, 20, 30)):
                objects.append((picture, category, 100 * place, 0, 50, 50))
                for copy in range(8 if category != 30 else 2):
                    share = generator.uniform(0, 1)
                    on_object = generator.random() < 0.5
                    iou = share if on_object else 0.0
                    box = [100 * place, 0, 50 * share, 50] if on_object else [100 * place, 150, 50, 50]
                    said = iou**0.5 if category == 10 else iou
                    entry = {"image_id": picture, "category_id": category, "bbox": box, "score": said, "iou": said}
                    found.append(entry | {"kept": copy == 0})
        name = f"{seed}.json"
        return annotations(objects, pictures=120, name=f"objects{name}"), results(found, f"found{name}")

    (ann, found), (other_ann, other_found) = split(0), split(1)
    truth = read_ground_truth(ann)
    calibration = fit_calibration(read_results(found, truth), truth, category_ids=CATEGORIES, coverage=None)
    assert calibration.candidates is not None
    assert calibration.candidates.boxes == 120 * 18
    assert set(calibration.candidates.score.of_class) == {0, 1}
    truth = read_ground_truth(other_ann)
    results_there = read_results(other_found, truth)
    errors = candidate_errors(results_there, truth, calibration, category_ids=CATEGORIES)
    assert errors["candidates_error/iou"] > 0.03
    assert errors["candidates_error/iou_calibrated"] <= 0.02
    assert errors["candidates_error/score_calibrated"] <= 0.02
    mapped = with_calibration(results_there, calibration, category_ids=CATEGORIES).predictions["iou_calibrated"]
    first = (results_there.category_id == 10) & ~results_there.kept
    assert mapped[first] == pytest.approx(results_there.predictions["iou"][first] ** 2, abs=0.1)


def test_too_few_detections_calibrate_nothing(annotations: Callable[..., Path], results: Callable[..., Path]) -> None:
    truth = read_ground_truth(annotations([(1, 10, 0, 0, 10, 10)]))
    found = read_results(results([{"image_id": 1, "category_id": 10, "bbox": [0, 0, 10, 10], "score": 0.5}]), truth)
    with pytest.raises(ResultsError, match=r"at least 50 detections .* found 1 of 1"):
        fit_calibration(found, truth, category_ids=CATEGORIES, coverage=0.9)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([0.1, 0.2], [0.5], "one length, not 2 and 1"),
        ([0.2, 0.2], [0.5, 0.6], "x must rise strictly"),
        ([0.1, 0.2], [0.6, 0.5], "y must not fall"),
        ([0.1, 1.2], [0.5, 0.6], "less than or equal to 1"),
        ([], [], "at least 1"),
        ([0.1] * 65, [0.1] * 65, "at most 64"),
    ],
)
def test_knots_that_are_no_map(x: list[float], y: list[float], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Knots(x=x, y=y)
