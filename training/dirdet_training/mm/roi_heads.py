"""DIR in MMDetection's RoI heads: one mixin for all of them, and a class line for each."""

# The mixin calls what the head beside it brings, and torch's modules type their parts as Tensor | Module.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi, scale_boxes
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.head import DIRHead
from dirdet_training.losses import dir_losses
from dirdet_training.nms import confidence, ranked_nms

MODELS.register_module(module=DIRHead)

Pyramid = tuple[Tensor, ...]

# M where a config does not say.
DEFAULT_MAX_CANDIDATES = 300


class DIRMixin:
    """Adds the DIR head to a two-stage detector's RoI head.

    A detector brings what truly differs: how its own `bbox_loss` and `predict_bbox` are called. Everything about
    DIR, what it is trained on, how candidates are chosen, judged and ranked, stands here.

    Settings in test_cfg beside the detector's own:
        max_candidates: M, the best scored pairs of box and class that are judged; 300 unless told.
        iou_weight: w of the confidence; 0.5 unless told, 0 is the plain detector.
    """

    def __init__(self, *, dir_head: dict[str, Any], **settings: Any) -> None:  # noqa: ANN401
        """Builds the detector's own head from its settings, and the DIR head beside it."""
        super().__init__(**settings)
        self.dir_head = MODELS.build(dir_head)

    def loss(self, x: Pyramid, rpn_results_list: list[InstanceData], batch_data_samples: list[Any]) -> dict[str, Any]:
        """The detector's losses and the three of Eq. 9."""
        # bbox_loss, which knows the sampled boxes, is not told where the pictures end.
        self._picture_hws = [sample.img_shape for sample in batch_data_samples]
        return super().loss(x, rpn_results_list, batch_data_samples)

    def hindsight_features(self, x: Pyramid, boxes_xyxy: list[Tensor]) -> Tensor:
        """Features pooled on refined boxes (section 3.3).

        Args:
            x: pyramid of [B, C, H_l, W_l].
            boxes_xyxy: one [N_b, 4] a picture, pixels of the canvas.

        Returns:
            [sum N_b, C, roi_size, roi_size].
        """
        features = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], bbox2roi(boxes_xyxy))
        return self.shared_head(features) if self.with_shared_head else features

    def dir_loss(self, x: Pyramid, boxes_xyxy: list[Tensor], objects_xyxy: list[Tensor]) -> dict[str, Tensor]:
        """Losses of the DIR head on the boxes that positive proposals regress to.

        Args:
            x: pyramid of [B, C, H_l, W_l].
            boxes_xyxy: one [P_b, 4] a picture, refined positives, pixels of the canvas.
            objects_xyxy: one [P_b, 4] a picture, the objects they were assigned to.

        Returns:
            loss_purity, loss_integrity, loss_iou: scalars.
        """
        boxes_xyxy = [boxes.detach() for boxes in boxes_xyxy]
        logits = self.dir_head(self.hindsight_features(x, boxes_xyxy))
        losses = dir_losses(*logits, torch.cat(boxes_xyxy), torch.cat(objects_xyxy))
        return {f"loss_{name}": value for name, value in losses._asdict().items()}

    def rank(
        self,
        x: Pyramid,
        raw: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
        rcnn_test_cfg: ConfigDict,
        *,
        rescale: bool,
    ) -> list[InstanceData]:
        """Judges the best candidates of every picture and suppresses by confidence.

        Args:
            x: pyramid of [B, C, H_l, W_l].
            raw: a picture's refined boxes [R, 4] or, class-specific, [R, 4 * classes] in pixels of the canvas, and
                probabilities [R, classes + 1], the last the background's.
            batch_img_metas: MMDetection's facts about each picture.
            rcnn_test_cfg: score_thr, nms.iou_threshold, max_per_img, max_candidates, iou_weight.
            rescale: give boxes in the picture's own pixels.

        Returns:
            A picture's bboxes [D, 4], labels [D] and scores [D] (the confidence), highest first, with class_scores,
            purity, integrity and ious [D].
        """
        candidates = [self._candidates(result, rcnn_test_cfg) for result in raw]
        sizes = [len(result) for result in candidates]
        boxes = [result.bboxes for result in candidates]
        purity_logits, integrity_logits = self.dir_head(self.hindsight_features(x, boxes))
        judged = zip(
            candidates, purity_logits.split(sizes), integrity_logits.split(sizes), batch_img_metas, strict=True
        )
        results: list[InstanceData] = []
        for result, purities, integrities, meta in judged:
            result.purity = purities.float().sigmoid()
            result.integrity = integrities.float().sigmoid()
            result.ious = geometry.combine_logits(purities.float(), integrities.float()).sigmoid()
            result.scores = confidence(result.class_scores, result.ious, rcnn_test_cfg.get("iou_weight", 0.5))
            if rescale and len(result):
                factors = [1 / factor for factor in meta["scale_factor"]]
                result.bboxes = scale_boxes(result.bboxes, factors)
            kept = ranked_nms(
                result.bboxes, result.scores, result.labels, iou_threshold=rcnn_test_cfg.nms.iou_threshold
            )
            results.append(result[kept[: rcnn_test_cfg.max_per_img]])
        return results

    def _candidates(self, raw: InstanceData, rcnn_test_cfg: ConfigDict) -> InstanceData:
        """The M best scored pairs of refined box and class above the threshold, best first."""
        scores = raw.scores[:, :-1]  # [R, classes]
        classes = scores.shape[1]
        flat = scores.flatten()  # [R * classes]
        count = min(
            rcnn_test_cfg.get("max_candidates", DEFAULT_MAX_CANDIDATES), int((flat > rcnn_test_cfg.score_thr).sum())
        )
        best, index = flat.topk(count)
        boxes = raw.bboxes.view(len(scores), -1, 4)  # [R, 1 or classes, 4]
        columns = index % classes
        chosen = boxes[index // classes, columns if boxes.shape[1] > 1 else 0]
        return InstanceData(bboxes=chosen, labels=columns, class_scores=best.float())


def refined_positives(
    bbox_head: torch.nn.Module,
    sampling_results: list[Any],
    bbox_preds: Tensor,
    picture_hws: list[tuple[int, int]],
) -> tuple[list[Tensor], list[Tensor]]:
    """The boxes that positive proposals regress to, clipped as in prediction, and their objects.

    Args:
        bbox_head: has `bbox_coder`, `reg_class_agnostic` and `num_classes`.
        sampling_results: one a picture; positives come first.
        bbox_preds: [R, 4] or, class-specific, [R, 4 * classes]: all pictures' deltas, one after another.
        picture_hws: (height, width) of each picture on its canvas.

    Returns:
        Refined boxes and objects: lists with one [P_b, 4] a picture, pixels of the canvas.
    """
    boxes: list[Tensor] = []
    objects: list[Tensor] = []
    per_picture = bbox_preds.split([len(result.priors) for result in sampling_results])
    for result, preds, picture_hw in zip(sampling_results, per_picture, picture_hws, strict=True):
        positives = preds[: len(result.pos_priors)]  # [P, 4 or 4 * classes]
        if not bbox_head.reg_class_agnostic:
            rows = torch.arange(len(positives), device=positives.device)
            positives = positives.view(len(positives), -1, 4)[rows, result.pos_gt_labels]  # [P, 4]
        boxes.append(bbox_head.bbox_coder.decode(result.pos_priors, positives.detach(), max_shape=picture_hw))
        objects.append(result.pos_gt_bboxes.view(-1, 4))
    return boxes, objects


@MODELS.register_module()
class DIRStandardRoIHead(DIRMixin, StandardRoIHead):
    """The RoI head of Faster R-CNN and Mask R-CNN, with DIR (section 3.4)."""

    def bbox_loss(self, x: Pyramid, sampling_results: list[Any]) -> dict[str, Any]:
        """The box head's losses, and DIR's among them."""
        results = super().bbox_loss(x, sampling_results)
        pairs = refined_positives(self.bbox_head, sampling_results, results["bbox_pred"], self._picture_hws)
        results["loss_bbox"].update(self.dir_loss(x, *pairs))
        return results

    def predict_bbox(
        self,
        x: Pyramid,
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: ConfigDict | None,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Detections ranked by confidence; raw boxes and scores where no test_cfg is given, as MMDetection has it."""
        raw = super().predict_bbox(
            x, batch_img_metas, rpn_results_list, None, rescale=rescale and rcnn_test_cfg is None
        )
        if rcnn_test_cfg is None:
            return raw
        return self.rank(x, raw, batch_img_metas, rcnn_test_cfg, rescale=rescale)
