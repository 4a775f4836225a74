"""An MMEngine metric that writes every candidate, and whether NMS keeps it, to a file; it computes no measure."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faster_coco_eval import COCO
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from dirdet_training.nms import Selection, confidence, ranked_nms

# Enough digits to keep apart any two values that an NMS distinguishes.
DECIMALS = 6


@METRICS.register_module()
class CandidatesFile(BaseMetric):
    """COCO results with extra keys, as `dirdet quality` and `dirdet calibrate` read them.

    An entry has image_id, category_id, bbox (x, y, width, height, pixels), score, confidence, kept and, from a detector
    with DIR, purity, integrity and iou. As for RankingMetric, the detector must suppress nothing itself.
    """

    default_prefix = "candidates"

    def __init__(
        self,
        *,
        ann_file: str,
        out: str,
        selection: dict[str, Any],
        nms_iou_threshold: float,
        max_detections: int,
        nms_over_classes: bool,
        collect_device: str = "cpu",
    ) -> None:
        """Reads the category of each class from the annotation file.

        Args:
            ann_file: COCO JSON.
            out: the file to write.
            selection: the settings of the ranked NMS (Selection). A kept entry has the candidate's own box, also if
                boxes vote.
            nms_iou_threshold: the IoU threshold of that NMS.
            max_detections: the most detections kept in a picture.
            nms_over_classes: let a box suppress boxes of other classes too.
            collect_device: where MMEngine gathers results of several processes.
        """
        super().__init__(collect_device=collect_device)
        self.out = Path(out)
        self.selection = Selection.of(selection)
        self.nms_iou_threshold = nms_iou_threshold
        self.max_detections = max_detections
        self.nms_over_classes = nms_over_classes
        coco = COCO(ann_file)
        self._category_of_name = {item["name"]: item["id"] for item in coco.loadCats(coco.getCatIds())}

    def process(self, data_batch: Any, data_samples: list[dict[str, Any]]) -> None:  # noqa: ANN401, ARG002
        """Adds the entries of each picture to the results."""
        names = (self.dataset_meta or {})["classes"]
        for sample in data_samples:
            found = sample["pred_instances"]
            categories = [self._category_of_name[names[int(label)]] for label in found["labels"]]
            columns = self._columns(found)
            boxes_xywh = found["bboxes"].double().cpu().numpy().copy()  # [N, 4]
            boxes_xywh[:, 2:] -= boxes_xywh[:, :2]
            self.results.append(
                [
                    {
                        "image_id": sample["img_id"],
                        "category_id": category,
                        "bbox": [round(side, 3) for side in boxes_xywh[row].tolist()],
                        **{name: values[row] for name, values in columns.items()},
                    }
                    for row, category in enumerate(categories)
                ]
            )

    def _columns(self, found: dict[str, torch.Tensor]) -> dict[str, list[float] | list[bool]]:
        """Makes the columns of the entries except box and class, [N] each."""
        scores = found.get("class_scores", found["scores"]).cpu()
        ious = found["ious"].cpu() if "ious" in found else None
        boxes, groups = found["bboxes"].cpu(), found["labels"].cpu()
        if self.nms_over_classes:
            groups = torch.zeros_like(groups)
        if ious is None:
            reported = scores
            kept = ranked_nms(boxes, scores, groups, iou_threshold=self.nms_iou_threshold)
        else:
            reported = confidence(scores, ious, self.selection.iou_weight)
            selected = self.selection(boxes, scores, ious, groups, iou_threshold=self.nms_iou_threshold)
            kept = selected.indices
            reported[kept] = selected.confidences
        kept = kept[: self.max_detections]
        told = {"score": scores, "confidence": reported}
        if ious is not None:
            told |= {"purity": found["purity"], "integrity": found["integrity"], "iou": ious}
        is_kept = np.isin(np.arange(len(scores)), kept.numpy())
        return {name: _rounded(values) for name, values in told.items()} | {"kept": is_kept.tolist()}

    def compute_metrics(self, results: list[list[dict[str, Any]]]) -> dict[str, float]:
        """Writes the file in the order of the pictures and returns the number of candidates in it."""
        entries = [entry for picture in results for entry in picture]
        self.out.write_text(json.dumps(entries), encoding="utf-8")
        return {"number": float(len(entries))}


def _rounded(values: torch.Tensor) -> list[float]:
    return values.double().cpu().numpy().round(DECIMALS).tolist()
