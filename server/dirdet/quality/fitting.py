"""Fits a calibration to the detections of one split: isotonic maps and a conformal margin."""

import math

import numpy as np

from dirdet.calibration import MAX_KNOTS, BoxMargin, Calibration, Knots
from dirdet.errors import ResultsError
from dirdet.quality.arrays import Floats, require_pairs
from dirdet.quality.extra import library
from dirdet.quality.ground_truth import GroundTruth
from dirdet.quality.judging import MIN_IOU, judge
from dirdet.quality.results import Results

# A map drawn through fewer detections is noise.
MIN_DETECTIONS = 50
# A box that is said to miss nothing of its object may miss as much as one that is said to miss a tenth more. On the
# scenes' validation pictures anything from 0.05 to 0.2 does as well.
LEAST_MISSING = 0.1


def fit_knots(predicted: Floats, true: Floats, *, max_knots: int = MAX_KNOTS) -> Knots:
    """The rising map that comes nearest to what came true, in squares (isotonic regression).

    Args:
        predicted: [N] in 0..1.
        true: [N] in 0..1.
        max_knots: at most so many; they lie where as many predictions are between any two.
    """
    require_pairs(predicted, true, "predicted and true")
    fitted = library("sklearn.isotonic").IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(predicted, true)
    x = np.unique(np.quantile(predicted, np.linspace(0, 1, max_knots), method="nearest"))
    y = np.maximum.accumulate(np.clip(fitted.predict(x), 0, 1))
    return Knots(x=x.tolist(), y=y.tolist())


def needed_margin(boxes_xyxy: Floats, objects_xyxy: Floats) -> Floats:
    """The least margin [N] with which each box [N, 4] contains its object [N, 4]; below 0 where it does with room.

    In parts of the box's width, left and right, and of its height, up and down: the largest of the four sides' needs.
    """
    sides_wh = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], np.finfo(np.float64).tiny)
    before = (boxes_xyxy[:, :2] - objects_xyxy[:, :2]) / sides_wh
    behind = (objects_xyxy[:, 2:] - boxes_xyxy[:, 2:]) / sides_wh
    return np.hstack([before, behind]).max(axis=1)


def fit_margin(
    boxes_xyxy: Floats, objects_xyxy: Floats, *, coverage: float, integrity: Floats | None = None
) -> BoxMargin:
    """Split conformal prediction: the margin that as many of the split's boxes need as `coverage` says.

    The quantile is the ceil((N + 1) coverage)-th of the N needed margins, which makes the promise hold for the next
    exchangeable box however few there are. Where the detector tells an integrity, each box's need is divided by
    `LEAST_MISSING` + 1 - integrity first (normalised conformal prediction), so that boxes that are sure to hold their
    object grow less.

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
    """The rank-th least, or 0 where that is below it."""
    return max(0.0, float(np.partition(needed, rank - 1)[rank - 1]))


def fit_calibration(results: Results, truth: GroundTruth, *, coverage: float | None) -> Calibration:
    """Fits to the detections after NMS; those on crowds are left out.

    The score is fitted to whether COCO's matching finds class and box right at an IoU of at least 0.5. The iou and
    the margin are fitted on the detections whose best IoU with an object, of any class, is at least 0.5.

    Args:
        results: of the detector that will be calibrated, with the thresholds it will serve with.
        truth: the split's objects.
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
    right = (judged.correct_iou[detected] > 0).astype(np.float64)
    iou = results.predictions.get("iou")
    margin = None
    if coverage is not None:
        integrity = results.predictions.get("integrity")
        margin = fit_margin(
            results.boxes_xyxy[well],
            truth.visible_xyxy(judged.object_row[well]),
            coverage=coverage,
            integrity=None if integrity is None else integrity[well],
        )
    return Calibration(
        score=fit_knots(results.predictions["score"][detected], right),
        iou=None if iou is None else fit_knots(iou[well], judged.iou[well]),
        box_margin=margin,
        annotations=truth.path.name,
        detections=number,
        matched=matched,
    )
