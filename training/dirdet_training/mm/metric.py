"""An MMEngine metric that ranks the same candidates in several ways and measures each."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from faster_coco_eval import COCO
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from dirdet.quality import pearson
from dirdet.quality.average_precision import average_precisions
from dirdet_training.ranking import Candidates
from dirdet_training.suppression import SUPPRESSIONS

# The boxes that the correlations are measured on: Figure 4, as this project defines it.
PEARSON_MIN_SCORE = 0.05
PEARSON_MIN_IOU = 0.5
# Columns of candidates that only a detector with a rival's head gives.
RIVALS = ("single_ious", "rank_scores", "fitness")


@METRICS.register_module()
class RankingMetric(BaseMetric):
    """AP of one detector's candidates under each rank, and how well score and iou agree with the true IoU.

    The detector must give candidates that nothing has suppressed: test_cfg.rcnn.nms.iou_threshold = 1, and a
    max_per_img that keeps them all.
    """

    default_prefix = "ranking"

    def __init__(
        self,
        *,
        ann_file: str,
        ranks: list[str],
        nms_iou_threshold: float = 0.5,
        max_detections: int = 100,
        collect_device: str = "cpu",
    ) -> None:
        """Reads the ground truth.

        Args:
            ann_file: COCO JSON.
            ranks: names from `dirdet_training.suppression.SUPPRESSIONS`.
            nms_iou_threshold: of each NMS.
            max_detections: kept a picture.
            collect_device: where MMEngine gathers results of several processes.
        """
        super().__init__(collect_device=collect_device)
        self.coco = COCO(ann_file)
        self.ranks = ranks
        self.nms_iou_threshold = nms_iou_threshold
        self.max_detections = max_detections

    def _objects(self, picture_id: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes [G, 4] and class ids [G] of a picture's objects, crowds left out."""
        found = self.coco.loadAnns(self.coco.getAnnIds(imgIds=[picture_id], iscrowd=False))
        boxes = torch.tensor([item["bbox"] for item in found], dtype=torch.float32).view(-1, 4)
        boxes[:, 2:] += boxes[:, :2]  # xywh to xyxy
        return boxes, torch.tensor([self.category_ids.index(item["category_id"]) for item in found], dtype=torch.long)

    @cached_property
    def category_ids(self) -> list[int]:
        """The data set's category id of each class id."""
        by_name = {item["name"]: item["id"] for item in self.coco.loadCats(self.coco.getCatIds())}
        return [by_name[name] for name in (self.dataset_meta or {})["classes"] if name in by_name]

    def process(self, data_batch: Any, data_samples: list[dict[str, Any]]) -> None:  # noqa: ANN401, ARG002
        """Ranks and suppresses each picture's candidates, and keeps what is left and the pairs to correlate."""
        for sample in data_samples:
            candidates = self.candidates(sample)
            self.results.append(
                {
                    "picture_id": sample["img_id"],
                    "kept": {name: self._suppress(candidates, name) for name in self.ranks},
                    "pairs": _pairs(candidates),
                }
            )

    def candidates(self, sample: dict[str, Any]) -> Candidates:
        """One picture's candidates and the objects that are there, on the CPU."""
        found = sample["pred_instances"]
        objects_xyxy, object_class_ids = self._objects(sample["img_id"])
        return Candidates(
            boxes_xyxy=found["bboxes"].cpu(),
            class_ids=found["labels"].cpu(),
            scores=found.get("class_scores", found["scores"]).cpu(),
            ious=found["ious"].cpu() if "ious" in found else None,
            objects_xyxy=objects_xyxy,
            object_class_ids=object_class_ids,
            **{name: found[name].cpu() for name in RIVALS if name in found},
            proposals_xyxy=found["proposals"].cpu() if "proposals" in found else None,
            judgements={name: said.cpu() for name, said in found.items() if name.count("/") == 2},
        )

    def _suppress(self, candidates: Candidates, rank: str) -> np.ndarray:
        """What one NMS keeps: rows of x1, y1, x2, y2, confidence, class id."""
        kept = SUPPRESSIONS[rank](candidates, self.nms_iou_threshold)
        chosen = kept.indices[: self.max_detections]
        confidences = kept.confidences[: self.max_detections, None]
        columns = (candidates.boxes_xyxy[chosen], confidences, candidates.class_ids[chosen, None])
        return torch.cat([column.double() for column in columns], dim=1).numpy()  # [K, 6]

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Figures by name: RANK/AP and so on, pearson/score, pearson/iou and the number of boxes behind them.

        Where rivals' heads predict something, its Pearson too, under the name of the column.
        """
        figures: dict[str, float] = {}
        picture_ids = [result["picture_id"] for result in results]
        for rank in self.ranks:
            detections = [
                {
                    "image_id": result["picture_id"],
                    "category_id": self.category_ids[int(class_id)],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": score,
                }
                for result in results
                for x1, y1, x2, y2, score, class_id in result["kept"][rank].tolist()
            ]
            measured = average_precisions(self.coco, detections, picture_ids)
            figures.update({f"{rank}/{name}": value for name, value in measured.items()})
        pairs = np.concatenate([result["pairs"] for result in results])  # [P, 6]
        figures["pearson/score"] = pearson(pairs[:, 1], pairs[:, 0])
        figures["pearson/iou"] = pearson(pairs[:, 2], pairs[:, 0])
        for column, name in enumerate(RIVALS, start=3):
            if not np.isnan(pairs[:, column]).all():
                figures[f"pearson/{name}"] = pearson(pairs[:, column], pairs[:, 0])
        figures["pearson/boxes"] = float(len(pairs))
        return figures


def _pairs(candidates: Candidates) -> np.ndarray:
    """The boxes that correlations are measured on: rows of true IoU, score, predicted IoU and what RIVALS names.

    NaN stands where the detector predicts nothing.
    """
    true = candidates.true_ious(same_class=False)
    chosen = (true >= PEARSON_MIN_IOU) & (candidates.scores > PEARSON_MIN_SCORE)
    predicted = (candidates.ious, candidates.single_ious, candidates.rank_scores, candidates.fitness)
    columns = (torch.full_like(true, float("nan")) if column is None else column for column in predicted)
    return torch.stack([true, candidates.scores, *columns], dim=1)[chosen].double().numpy()
