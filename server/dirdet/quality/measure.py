"""Computes all figures of one detector on one split, and the curves behind them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from dirdet.quality.arrays import Bools, Floats
from dirdet.quality.average_precision import average_precisions, coco_objects
from dirdet.quality.calibration_error import (
    Reliability,
    d_ece,
    expected_error,
    la_ece,
    mean_absolute_error,
    reliability,
)
from dirdet.quality.correlation import kendall_within_objects, pearson, spearman
from dirdet.quality.detections_file import Results
from dirdet.quality.ground_truth import GroundTruth, rows_by
from dirdet.quality.olrp import mean_olrp
from dirdet.quality.regret import cluster_regrets
from dirdet.quality.selection import RiskCoverage, auroc, risk_coverage
from dirdet.quality.true_iou import MIN_IOU, Judged, judge

# Correlations are measured on these boxes: Figure 4, as this project defines it.
MIN_SCORE = 0.05
# Fewer bins than the errors use: in a plotted curve, a point of few boxes is noise.
CURVE_BINS = 10

# Predictions that may rank boxes, and the true value that each localization confidence predicts.
ORDERING = ("score", "iou", "confidence", "score_calibrated", "iou_calibrated")
LOCALIZATION = {"iou": "iou", "purity": "purity", "integrity": "integrity", "iou_calibrated": "iou"}
# Of a box on no object purity and integrity have no true value; its IoU is 0.
FITTING = ("purity", "integrity")


@dataclass(frozen=True, slots=True)
class Quality:
    """The measured quality.

    Attributes:
        figures: by name; nan if there was nothing to measure. AP in percent, all others unscaled.
        reliability: curve by prediction.
        risk_coverage: curve by confidence.
        pairs: [P] each, over the boxes that correlations are measured on: `true`, and each existing prediction of
            `ORDERING`.
        regrets: [C], NMS regret of each cluster; empty without candidates.
    """

    figures: dict[str, float]
    reliability: dict[str, Reliability]
    risk_coverage: dict[str, RiskCoverage]
    pairs: dict[str, Floats]
    regrets: Floats


def measure(results: Results, truth: GroundTruth, *, nms_iou_threshold: float = 0.5) -> Quality:
    """Measures boxes against the objects of their pictures.

    Correlations are over candidates with score above 0.05 whose best IoU with an object is at least 0.5; all other
    figures are over the kept boxes.

    Args:
        results: candidates with a mark on the kept boxes, or detections.
        truth: the objects.
        nms_iou_threshold: of the NMS that kept the boxes; it determines the candidates in a kept box's cluster.

    Raises:
        MissingExtraError: a library of the extra [quality] is not installed.
    """
    judged = judge(results, truth)
    detected = results.kept & ~judged.ignored
    well = detected & (judged.iou >= MIN_IOU)
    curves = _reliability(results, judged, detected, well)
    risks = {
        name: risk_coverage(values[detected], judged.iou[detected])
        for name, values in results.predictions.items()
        if name in ORDERING
    }
    pairs, correlations = _correlations(results, judged)
    regrets = _regrets(results, truth, nms_iou_threshold)
    figures = {
        **_counts(results, truth),
        **_average_precisions(results, truth),
        **_olrp(results, truth, judged, detected),
        **correlations,
        **_errors(results, judged, detected, well),
        **_regret_figures(regrets),
        **{f"risk_coverage_area/{name}": curve.area for name, curve in risks.items()},
        **{f"auroc75/{name}": auroc(results.predictions[name][detected], judged.iou[detected]) for name in risks},
    }
    return Quality(figures, curves, risks, pairs, regrets)


def _counts(results: Results, truth: GroundTruth) -> dict[str, float]:
    objects = np.isin(truth.picture_id, results.looked_at) & ~truth.crowd
    return {
        "pictures": float(len(results.looked_at)),
        "objects": float(objects.sum()),
        "candidates": float(len(results.kept)),
        "detections": float(results.kept.sum()),
    }


def _average_precisions(results: Results, truth: GroundTruth) -> dict[str, float]:
    return average_precisions(coco_objects(truth.path), results.only(results.kept).to_coco(), results.looked_at)


def _olrp(results: Results, truth: GroundTruth, judged: Judged, detected: Bools) -> dict[str, float]:
    there = np.isin(truth.picture_id, results.looked_at) & ~truth.crowd
    found = mean_olrp(
        results.predictions["confidence"][detected],
        judged.correct_iou[detected],
        results.category_id[detected],
        dict(Counter(int(each) for each in truth.category_id[there])),
    )
    return {"oLRP" if name == "error" else f"oLRP_{name}": value for name, value in found._asdict().items()}


def _correlations(results: Results, judged: Judged) -> tuple[dict[str, Floats], dict[str, float]]:
    chosen = (results.predictions["score"] > MIN_SCORE) & (judged.iou >= MIN_IOU) & ~judged.ignored
    true, objects = judged.iou[chosen], judged.object_row[chosen]
    pairs = {name: results.predictions[name][chosen] for name in ORDERING if name in results.predictions}
    figures: dict[str, float] = {}
    for name, predicted in pairs.items():
        figures[f"pearson/{name}"] = pearson(predicted, true)
        figures[f"spearman/{name}"] = spearman(predicted, true)
        figures[f"kendall_within_objects/{name}"] = kendall_within_objects(predicted, true, objects)
    return {"true": true, **pairs}, figures | {"correlated_boxes": float(len(true))}


def _reliability(results: Results, judged: Judged, detected: Bools, well: Bools) -> dict[str, Reliability]:
    curves: dict[str, Reliability] = {}
    for name, predicted in results.predictions.items():
        if name in LOCALIZATION:
            true: Floats = getattr(judged, LOCALIZATION[name])
            rows = well if name in FITTING else detected
            curves[name] = reliability(predicted[rows], true[rows], bins=CURVE_BINS)
        else:
            right = (judged.correct_iou > 0).astype(np.float64)
            curves[name] = reliability(predicted[detected], right[detected], bins=CURVE_BINS)
    return curves


def _errors(results: Results, judged: Judged, detected: Bools, well: Bools) -> dict[str, float]:
    figures: dict[str, float] = {}
    told = results.predictions
    for name, quantity in LOCALIZATION.items():
        if name in told:
            true: Floats = getattr(judged, quantity)
            rows = well if name in FITTING else detected
            figures[f"absolute_error/{name}"] = mean_absolute_error(told[name][rows], true[rows])
            figures[f"calibration_error/{name}"] = expected_error(reliability(told[name][rows], true[rows]))
    correct = judged.correct_iou[detected]
    right = (correct > 0).astype(np.float64)
    classes = results.category_id[detected]
    for name in ("score", "confidence", "score_calibrated"):
        if name in told:
            figures[f"D-ECE/{name}"] = d_ece(told[name][detected], right)
    # LaECE compares with precision times IoU, which the product of a score and an iou predicts.
    expected = {"score": told["score"], "confidence": told["confidence"]}
    for score, iou in (("score", "iou"), ("score_calibrated", "iou_calibrated")):
        if score in told and iou in told:
            expected[f"{score} x {iou}"] = told[score] * told[iou]
    figures |= {f"LaECE/{name}": la_ece(values[detected], correct, classes) for name, values in expected.items()}
    return figures


def _regrets(results: Results, truth: GroundTruth, nms_iou_threshold: float) -> Floats:
    """Regrets of all pictures' clusters; [0] if the results hold no candidate that NMS removed."""
    if results.kept.all():
        return np.zeros(0)
    regrets: list[Floats] = []
    for picture_id, rows in rows_by(results.picture_id).items():
        objects = truth.rows_on(picture_id)
        regrets.append(
            cluster_regrets(
                results.boxes_xyxy[rows],
                results.category_id[rows],
                results.predictions["confidence"][rows],
                results.kept[rows],
                truth.boxes_xyxy[objects[~truth.crowd[objects]]],
                nms_iou_threshold=nms_iou_threshold,
                min_iou=MIN_IOU,
            )
        )
    return np.concatenate(regrets)


def _regret_figures(regrets: Floats) -> dict[str, float]:
    """Number of clusters, mean regret, and the part of the clusters in which NMS did not keep the best box."""
    if not len(regrets):
        return {"NMS_regret": float("nan"), "NMS_regret_clusters": 0.0}
    return {
        "NMS_regret": float(regrets.mean()),
        "NMS_regret_part": float(np.mean(regrets > 0)),
        "NMS_regret_clusters": float(len(regrets)),
    }
