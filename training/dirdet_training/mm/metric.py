"""An MMEngine metric that ranks the same candidates in several ways and measures each way."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faster_coco_eval import COCO
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from dirdet.quality import pearson
from dirdet.quality.average_precision import average_precisions
from dirdet_training.annotations.records import read_whole
from dirdet_training.mm.fit_measures import distinct_boxes, fit_figures, joined
from dirdet_training.nms.ranks import Candidates
from dirdet_training.rivals import COLUMNS, SUPPRESSIONS

# The limits of the boxes over which correlations are measured (Figure 4, as this project defines it).
PEARSON_MIN_SCORE = 0.05
PEARSON_MIN_IOU = 0.5


@METRICS.register_module()
class RankingMetric(BaseMetric):
    """AP of one detector's candidates under each rank, and how well score and iou agree with the true IoU.

    The detector must return candidates without suppression: test_cfg.rcnn.nms.iou_threshold = 1, and a max_per_img that
    keeps them all.
    """

    default_prefix = "ranking"

    def __init__(
        self,
        *,
        ann_file: str,
        ranks: list[str],
        nms_iou_threshold: float = 0.5,
        max_detections: int = 100,
        nms_over_classes: bool = False,
        collect_device: str = "cpu",
    ) -> None:
        """Reads the ground truth.

        Args:
            ann_file: COCO JSON.
            ranks: names from `dirdet_training.rivals.SUPPRESSIONS`.
            nms_iou_threshold: the IoU threshold of each NMS.
            max_detections: the most detections kept in a picture.
            nms_over_classes: let a box suppress boxes of other classes too.
            collect_device: where MMEngine gathers results of several processes.
        """
        super().__init__(collect_device=collect_device)
        self.content = read_whole(Path(ann_file))
        self.ranks = ranks
        self.nms_iou_threshold = nms_iou_threshold
        self.max_detections = max_detections
        self.nms_over_classes = nms_over_classes

    @cached_property
    def coco(self) -> Any:  # noqa: ANN401
        """Returns the ground truth of the detector's classes: it is not blamed for objects that it never learned."""
        names = set((self.dataset_meta or {})["classes"])
        categories = [item for item in self.content["categories"] if item["name"] in names]
        ids = {item["id"] for item in categories}
        images = [{**item, "id": self.numbers[item["id"]]} for item in self.content["images"]]
        annotations = [
            {**item, "image_id": self.numbers[item["image_id"]]}
            for item in self.content["annotations"]
            if item["category_id"] in ids
        ]
        return COCO({**self.content, "images": images, "categories": categories, "annotations": annotations})

    @cached_property
    def numbers(self) -> dict[int | str, int]:
        """Returns the number of each picture's id for COCO's tools, which know whole numbers only."""
        ids: list[Any] = [item["id"] for item in self.content["images"]]
        return dict(zip(ids, ids if all(type(each) is int for each in ids) else range(1, len(ids) + 1), strict=True))

    def _objects(self, picture_id: int | str) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the boxes [G, 4] and class ids [G] of a picture's objects without crowds."""
        found = self.coco.loadAnns(self.coco.getAnnIds(imgIds=[self.numbers[picture_id]], iscrowd=False))
        boxes = torch.tensor([item["bbox"] for item in found], dtype=torch.float32).view(-1, 4)
        boxes[:, 2:] += boxes[:, :2]  # xywh to xyxy
        return boxes, torch.tensor([self.category_ids.index(item["category_id"]) for item in found], dtype=torch.long)

    @cached_property
    def category_ids(self) -> list[int]:
        """Returns the data set's category id of each class id."""
        by_name = {item["name"]: item["id"] for item in self.coco.loadCats(self.coco.getCatIds())}
        return [by_name[name] for name in (self.dataset_meta or {})["classes"] if name in by_name]

    def process(self, data_batch: Any, data_samples: list[dict[str, Any]]) -> None:  # noqa: ANN401, ARG002
        """Ranks and suppresses each picture's candidates, and stores the kept detections and the pairs to correlate."""
        for sample in data_samples:
            candidates = self.candidates(sample)
            self.results.append(
                {
                    "picture_id": self.numbers[sample["img_id"]],
                    "kept": {name: self._suppress(candidates, name) for name in self.ranks},
                    "pairs": _pairs(candidates),
                    "distinct": distinct_boxes(candidates),
                }
            )

    def candidates(self, sample: dict[str, Any]) -> Candidates:
        """Returns one picture's candidates and objects on the CPU."""
        found = sample["pred_instances"]
        objects_xyxy, object_class_ids = self._objects(sample["img_id"])
        return Candidates(
            boxes_xyxy=found["bboxes"].cpu(),
            class_ids=found["labels"].cpu(),
            scores=found.get("class_scores", found["scores"]).cpu(),
            ious=found["ious"].cpu() if "ious" in found else None,
            objects_xyxy=objects_xyxy,
            object_class_ids=object_class_ids,
            learnt={name: found[name].cpu() for name in COLUMNS if name in found},
            proposals_xyxy=found["proposals"].cpu() if "proposals" in found else None,
            judgements={name: said.cpu() for name, said in found.items() if name.count("/") == 2},
            over_classes=self.nms_over_classes,
        )

    def _suppress(self, candidates: Candidates, rank: str) -> np.ndarray:
        """Applies one NMS; returns rows of x1, y1, x2, y2, confidence, class id."""
        kept = SUPPRESSIONS[rank](candidates, self.nms_iou_threshold).first(self.max_detections)
        class_ids = candidates.class_ids[kept.indices, None]
        columns = (kept.boxes_of(candidates), kept.confidences[:, None], class_ids)
        return torch.cat([column.double() for column in columns], dim=1).numpy()  # [K, 6]

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Computes figures by name: RANK/AP and so on, pearson/score, pearson/iou and the number of boxes behind them.

        For predictions of rivals' heads, their Pearson is included under the name of the column. The figures of
        `fit_figures` are included under distinct/.
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
        for column, name in enumerate(COLUMNS, start=3):
            if not np.isnan(pairs[:, column]).all():
                figures[f"pearson/{name}"] = pearson(pairs[:, column], pairs[:, 0])
        figures["pearson/boxes"] = float(len(pairs))
        distinct = fit_figures(joined([result["distinct"] for result in results]))
        return figures | {f"distinct/{name}": value for name, value in distinct.items()}


def _pairs(candidates: Candidates) -> np.ndarray:
    """Returns rows of true IoU, score, predicted IoU and the COLUMNS of the boxes that correlations are measured over.

    A value is NaN where the detector has no prediction.
    """
    true = candidates.true_ious(same_class=False)
    chosen = (true >= PEARSON_MIN_IOU) & (candidates.scores > PEARSON_MIN_SCORE)
    predicted = (candidates.ious, *(candidates.learnt.get(name) for name in COLUMNS))
    columns = (torch.full_like(true, float("nan")) if column is None else column for column in predicted)
    return torch.stack([true, candidates.scores, *columns], dim=1)[chosen].double().numpy()
