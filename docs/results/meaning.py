"""Shows on one split what was fitted on another: python docs/results/meaning.py FITTED ANN SHOWN ANN, JSON files.

FITTED and SHOWN are candidates of one detector, as `dirdet evaluate --candidates` wrote them. Prints JSON:

- the expected errors of score and iou over all candidates, before and after calibration;
- the parts of the wrong detections (all, and those that fit no object) and of the right ones below the min_iou that
  suits the first split;
- the detections' mean 1 - IoU if only the most confident part is kept.
"""

import json
import sys
from pathlib import Path

import numpy as np

from dirdet.quality.calibration_check import candidate_errors
from dirdet.quality.calibration_fit import fit_calibration
from dirdet.quality.detections_file import read_results
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.selection import risk_coverage
from dirdet.quality.true_iou import MIN_IOU, judge

COVERAGES = (0.25, 0.5, 0.75, 1.0)


def main(fitted: Path, fitted_ann: Path, shown: Path, shown_ann: Path) -> None:
    """Fits, measures, prints."""
    fitted_truth, truth = read_ground_truth(fitted_ann), read_ground_truth(shown_ann)
    categories = sorted(int(each["id"]) for each in json.loads(shown_ann.read_text(encoding="utf-8"))["categories"])
    first = read_results(fitted, fitted_truth)
    calibration = fit_calibration(first, fitted_truth, category_ids=categories, coverage=None)
    results = read_results(shown, truth)
    figures = candidate_errors(results, truth, calibration, category_ids=categories)
    judged = judge(results, truth)
    detected = results.kept & ~judged.ignored
    right = judged.correct_iou > 0
    iou = results.predictions["iou"]
    threshold = calibration.suggested.min_iou or 0.0
    figures["min_iou"] = threshold
    kinds = {
        "wrong": detected & ~right,
        "wrong_on_no_object": detected & (judged.iou < MIN_IOU),
        "right": detected & right,
    }
    for name, rows in kinds.items():
        figures[f"detections/{name}"] = float(rows.sum())
        figures[f"below_min_iou/{name}"] = float((iou[rows] < threshold).mean())
    for name in ("score", "confidence", "iou"):
        curve = risk_coverage(results.predictions[name][detected], judged.iou[detected])
        for coverage in COVERAGES:
            place = max(0, int(np.ceil(coverage * len(curve.risk))) - 1)
            figures[f"risk/{name}/{coverage}"] = float(curve.risk[place])
        figures[f"risk/{name}/area"] = curve.area
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
