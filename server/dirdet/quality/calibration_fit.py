"""Fits a calibration to the boxes of one split: isotonic maps and a conformal margin."""

import math
from collections.abc import Sequence

import numpy as np

from dirdet.detection.calibration import MAX_KNOTS, BoxMargin, Calibration, Knots, Maps, Meaning
from dirdet.errors import ResultsError
from dirdet.quality.arrays import Bools, Floats, Ints, require_pairs
from dirdet.quality.detections_file import Results
from dirdet.quality.ground_truth import GroundTruth
from dirdet.quality.optional_libraries import library
from dirdet.quality.suggested_values import suggest
from dirdet.quality.true_iou import MIN_IOU, Judged, judge

# A map fitted to fewer detections is noise.
MIN_DETECTIONS = 50
# A class with fewer boxes has the map of all classes. Measured by halves of val (docs/results/calibration.md).
MIN_CLASS_BOXES = 500
# Of a fitted map. More follow the split's noise, and every answer of GET /detector carries them.
MAPS_KNOTS = 24
BOXES_PER_KNOT = 25
DIGITS = 4
# Added to the predicted missing part (1 - integrity) of every box, so that the divisor stays above 0. On the validation
# split of the scenes, values from 0.05 to 0.2 give equally good margins.
LEAST_MISSING = 0.1


def fit_knots(predicted: Floats, true: Floats, *, max_knots: int = MAX_KNOTS) -> Knots:
    """The rising map with the least squared distance to the true values (isotonic regression).

    Args:
        predicted: [N] in 0..1.
        true: [N] in 0..1.
        max_knots: most knots; equally many predictions lie between any two.
    """
    require_pairs(predicted, true, "predicted and true")
    fitted = library("sklearn.isotonic").IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(predicted, true)
    x = np.unique(np.quantile(predicted, np.linspace(0, 1, max_knots), method="nearest"))
    y = np.maximum.accumulate(np.clip(fitted.predict(x), 0, 1))
    return Knots(x=x.tolist(), y=y.tolist())


def needed_margin(boxes_xyxy: Floats, objects_xyxy: Floats) -> Floats:
    """The least margin [N] with which each box [N, 4] contains its object [N, 4]; below 0 if there is room to spare.

    The unit is the box's width for the left and right sides and its height for the top and bottom; the largest of the
    four sides counts.
    """
    sides_wh = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], np.finfo(np.float64).tiny)
    before = (boxes_xyxy[:, :2] - objects_xyxy[:, :2]) / sides_wh
    behind = (objects_xyxy[:, 2:] - boxes_xyxy[:, 2:]) / sides_wh
    return np.hstack([before, behind]).max(axis=1)


def fit_margin(
    boxes_xyxy: Floats, objects_xyxy: Floats, *, coverage: float, integrity: Floats | None = None
) -> BoxMargin:
    """Split conformal prediction: the margin that suffices for a part `coverage` of the split's boxes.

    The quantile is the ceil((N + 1) coverage)-th of the N needed margins, so the coverage holds for the next
    exchangeable box whatever N is. If the detector reports an integrity, each box's need is first divided by
    `LEAST_MISSING` + 1 - integrity (normalised conformal prediction), so that boxes with a high integrity grow less.

    Args:
        boxes_xyxy: [N, 4], pixels.
        objects_xyxy: [N, 4], their objects.
        integrity: [N], predicted; None for one margin for all boxes.
        coverage: in 0..1, exclusive.

    Raises:
        ResultsError: too few boxes for this coverage.
    """
    # Rounded first: 10 * 0.9 may be a hair above 9.
    rank = math.ceil(round((len(boxes_xyxy) + 1) * coverage, 9))
    if rank > len(boxes_xyxy):
        least = math.ceil(round(coverage / (1 - coverage), 9))
        raise ResultsError(
            f"a margin of coverage {coverage:g} needs at least {least} detections that overlap an object by "
            f"{MIN_IOU}, found {len(boxes_xyxy)}"
        )
    needed = needed_margin(boxes_xyxy, objects_xyxy)  # [N]
    if integrity is None:
        return BoxMargin(margin=_quantile(needed, rank), coverage=coverage)
    factor = _quantile(needed / (LEAST_MISSING + 1 - integrity), rank)
    return BoxMargin(margin=factor * LEAST_MISSING, missing=factor, coverage=coverage)


def _quantile(needed: Floats, rank: int) -> float:
    """The rank-th smallest value, or 0 if that is below 0."""
    return max(0.0, float(np.partition(needed, rank - 1)[rank - 1]))


def fit_maps(predicted: Floats, true: Floats, class_id: Ints) -> Maps:
    """A map of all boxes [N], and one of each class with at least `MIN_CLASS_BOXES` of them."""
    sizes = {int(own): int(size) for own, size in zip(*np.unique(class_id, return_counts=True), strict=True)}
    large = [own for own, size in sizes.items() if size >= MIN_CLASS_BOXES]
    return Maps(
        pooled=_smooth_knots(predicted, true),
        of_class={own: _smooth_knots(predicted[class_id == own], true[class_id == own]) for own in large},
    )


def _smooth_knots(predicted: Floats, true: Floats) -> Knots:
    fitted = fit_knots(predicted, true, max_knots=min(MAPS_KNOTS, max(2, len(predicted) // BOXES_PER_KNOT)))
    x, first = np.unique(np.round(fitted.x, DIGITS), return_index=True)
    return Knots(x=x.tolist(), y=np.round(np.array(fitted.y)[first], DIGITS).tolist())


def fit_calibration(
    results: Results, truth: GroundTruth, *, category_ids: Sequence[int], coverage: float | None
) -> Calibration:
    """Fits to detections and, if the results have them, to candidates; boxes on crowds are left out.

    The score of a detection is fitted to whether COCO's matching accepts class and box at an IoU of at least 0.5.
    That of a candidate is fitted to whether an object of its class has that IoU with it; one object may have many such.
    The iou is fitted to the best IoU with an object of any class, 0 where there is none. The margin is fitted on the
    detections whose best IoU is at least 0.5.

    Args:
        results: of the detector that will be calibrated, with the thresholds it will serve with.
        truth: the split's objects.
        category_ids: of the detector's classes, in their order.
        coverage: of the margin; None for no margin.

    Raises:
        ResultsError: too few detections.
    """
    judged = judge(results, truth)
    detected = results.kept & ~judged.ignored
    well = detected & (judged.iou >= MIN_IOU)
    number, matched = int(detected.sum()), int(well.sum())
    if min(number, matched) < MIN_DETECTIONS:
        raise ResultsError(
            f"a calibration needs at least {MIN_DETECTIONS} detections that overlap an object by {MIN_IOU}, "
            f"found {matched} of {number}"
        )
    class_id = class_ids_of(results, category_ids)
    margin = None
    if coverage is not None:
        integrity = results.predictions.get("integrity")
        margin = fit_margin(
            results.boxes_xyxy[well],
            truth.visible_xyxy(judged.object_row[well]),
            coverage=coverage,
            integrity=None if integrity is None else integrity[well],
        )
    candidates = None
    if not results.kept.all():
        candidates = _meaning(results, judged, ~judged.on_crowd, judged.class_iou >= MIN_IOU, class_id)
    return Calibration(
        detections=_meaning(results, judged, detected, judged.correct_iou > 0, class_id),
        candidates=candidates,
        suggested=suggest(
            results.predictions["score"][detected],
            results.predictions["iou"][detected] if "iou" in results.predictions else None,
            judged.correct_iou[detected],
            objects=int((np.isin(truth.picture_id, results.looked_at) & ~truth.crowd).sum()),
        ),
        box_margin=margin,
        annotations=truth.path.name,
        matched=matched,
    )


def _meaning(results: Results, judged: Judged, rows: Bools, right: Bools, class_id: Ints) -> Meaning:
    iou = results.predictions.get("iou")
    classes = class_id[rows]
    return Meaning(
        score=fit_maps(results.predictions["score"][rows], right[rows].astype(np.float64), classes),
        iou=None if iou is None else fit_maps(iou[rows], judged.iou[rows], classes),
        boxes=int(rows.sum()),
    )


def class_ids_of(results: Results, category_ids: Sequence[int]) -> Ints:
    """The detector's class of each box, [N]; -1 for a category that is none of its classes."""
    place = {category: class_id for class_id, category in enumerate(category_ids)}
    return np.array([place.get(int(each), -1) for each in results.category_id], np.int64)
