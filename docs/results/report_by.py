"""Compares what orders the answer: python docs/results/report_by.py CANDIDATES.json ANNOTATIONS.json.

CANDIDATES is what `dirdet evaluate --candidates` wrote. The maps of score and iou are fitted on a half of the pictures
(every second one, by their ids) over all candidates, background included. They are used on the other half, so that each
picture is ranked by maps that have not seen it.
"""

# scipy, scikit-learn and JSON are weakly typed.
# pyright: basic

import json
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dirdet.quality.average_precision import average_precisions, coco_objects
from dirdet.quality.calibration_fit import fit_knots
from dirdet_training import geometry
from dirdet_training.nms import Calibrated, Knots, Representative, Selection, Voting

SELECTIONS = {
    "DIR's NMS": Selection(),
    "clusters by score, representative": Selection(cluster_by="score", representative=Representative()),
    "the same with voting": Selection(cluster_by="score", representative=Representative(), voting=Voting()),
}
COLUMNS = ("AP", "AP50", "AP75", "AP90", "AP_agnostic", "AP75_agnostic", "AP90_agnostic")
MAX_DETECTIONS = 100
Picture = dict[str, torch.Tensor]


def read(path: Path, objects: Any) -> dict[int, Picture]:  # noqa: ANN401
    """Candidates by picture, with their true IoU with any object and with one of their class."""
    rows: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for entry in json.loads(path.read_text(encoding="utf-8")):
        rows[entry["image_id"]].append(entry)
    found: dict[int, Picture] = {}
    for picture_id in objects.getImgIds():
        entries, truth = rows[picture_id], objects.loadAnns(objects.getAnnIds(imgIds=[picture_id], iscrowd=False))
        boxes, real = (corners([entry["bbox"] for entry in some]) for some in (entries, truth))
        classes, real_classes = (torch.tensor([entry["category_id"] for entry in some]) for some in (entries, truth))
        ious = geometry.iou(boxes[:, None], real[None])  # [N, G]
        of_class = ious * (classes[:, None] == real_classes[None])
        best, right = (_best(values, len(boxes)) for values in (ious, of_class))
        scores, said = (torch.tensor([entry[name] for entry in entries]) for name in ("score", "iou"))
        found[picture_id] = {
            "boxes": boxes, "classes": classes, "scores": scores, "ious": said, "true": best, "right": right >= 0.5,
        }  # fmt: skip
    return found


def corners(boxes_xywh: list[list[float]]) -> torch.Tensor:
    """[N, 4], x1, y1, x2, y2."""
    boxes = torch.tensor(boxes_xywh, dtype=torch.float32).view(-1, 4)
    return torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1)


def _best(values: torch.Tensor, count: int) -> torch.Tensor:
    return values.max(dim=1).values if values.shape[1] else torch.zeros(count)


def fit(pictures: list[Picture]) -> Calibrated:
    """Score to the probability that class and box are right, iou to the expected IoU, over all candidates."""
    maps: list[Knots] = []
    for said, meant in (("scores", "right"), ("ious", "true")):
        columns = (torch.cat([picture[name] for picture in pictures]).double().numpy() for name in (said, meant))
        knots = fit_knots(*columns)
        maps.append(Knots(tuple(knots.x), tuple(knots.y)))
    return Calibrated(*maps)


def main(candidates: Path, annotations: Path) -> None:
    """Prints a row for each selection and each of what is reported."""
    objects = coco_objects(annotations)
    pictures = read(candidates, objects)
    order = sorted(pictures)
    halves = [fit([pictures[number] for number in order[start::2]]) for start in (0, 1)]
    print("| NMS | reported by | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 2) + "|")
    for name, selection in SELECTIONS.items():
        for report_by in ("score", "confidence", "calibrated"):
            found: list[dict[str, Any]] = []
            for place, number in enumerate(order):
                one = pictures[number]
                # The maps of the other half.
                chosen = replace(selection, report_by=report_by, calibration=halves[1 - place % 2])
                kept = chosen(one["boxes"], one["scores"], one["ious"], one["classes"], iou_threshold=0.5)
                boxes = kept.boxes_xyxy.double().numpy().copy()
                boxes[:, 2:] -= boxes[:, :2]
                rows = zip(
                    boxes.tolist(), kept.confidences.tolist(), one["classes"][kept.indices].tolist(), strict=True
                )
                found += [
                    {"image_id": number, "category_id": category, "bbox": box, "score": score}
                    for box, score, category in list(rows)[:MAX_DETECTIONS]
                ]
            figures = average_precisions(objects, found, order)
            cells = (f"{figures[column]:.1f}" for column in COLUMNS)
            print(f"| {name} | {report_by} | " + " | ".join(cells) + " |")
    true, said = (np.concatenate([pictures[number][key].numpy() for number in order]) for key in ("true", "ious"))
    mapped = (halves[1 - place % 2].iou(pictures[number]["ious"]).numpy() for place, number in enumerate(order))
    for words, values in (("iou", said), ("calibrated iou", np.concatenate(list(mapped)))):
        error = abs(values - true).mean()
        print(f"mean {words} {values.mean():.3f}, true {true.mean():.3f}, mean absolute error {error:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
