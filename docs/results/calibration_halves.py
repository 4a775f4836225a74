"""Measures a calibration on pictures it was not fitted on: python docs/results/calibration_halves.py CANDIDATES ANN.

CANDIDATES is what `dirdet evaluate --candidates` wrote. Score and iou are fitted on every second picture, by their ids,
and measured on the others, and the other way round: the mean of both is printed.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from dirdet.quality.calibration_check import candidate_errors, with_calibration
from dirdet.quality.calibration_error import d_ece, expected_error, reliability
from dirdet.quality.calibration_fit import fit_calibration
from dirdet.quality.detections_file import Results, read_results
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.true_iou import judge


def main(candidates: Path, annotations: Path) -> None:
    """Prints the errors before and after, of detections and of candidates, and what the suggested min_iou drops."""
    truth = read_ground_truth(annotations)
    found = read_results(candidates, truth)
    category_ids = sorted(truth.categories)
    order = sorted(truth.pictures)
    halves = [of_pictures(found, order[start::2]) for start in (0, 1)]
    told: list[dict[str, float]] = []
    for fit, shown in (halves, halves[::-1]):
        calibration = fit_calibration(fit, truth, category_ids=category_ids, coverage=None)
        figures = candidate_errors(shown, truth, calibration, category_ids=category_ids)
        there = with_calibration(shown, calibration, category_ids=category_ids)
        judged = judge(there, truth)
        rows = there.kept & ~judged.ignored
        right = judged.correct_iou > 0
        for name in ("score", "score_calibrated"):
            figures[f"detections_error/{name}"] = d_ece(there.predictions[name][rows], right[rows].astype(float))
        for name in ("iou", "iou_calibrated"):
            curve = reliability(there.predictions[name][rows], judged.iou[rows])
            figures[f"detections_error/{name}"] = expected_error(curve)
        if calibration.suggested.min_iou is not None:
            below = there.predictions["iou"] < calibration.suggested.min_iou
            figures["min_iou"] = calibration.suggested.min_iou
            figures["wrong removed"] = below[rows & ~right].mean()
            figures["right lost"] = below[rows & right].mean()
        told.append(figures)
    for name in told[0]:
        print(f"{name:<40} {np.mean([figures[name] for figures in told]):.3f}")


def of_pictures(found: Results, pictures: list[int]) -> Results:
    """The boxes of some pictures."""
    return replace(found.only(np.isin(found.picture_id, pictures)), looked_at=pictures)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
