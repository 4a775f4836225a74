"""TSD, "Revisiting the Sibling Head in Object Detector" (CVPR 2020), for MMDetection 3."""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false

import copy
from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.utils import empty_instances
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.mm.bin_pooling import pool_moved_bins
from dirdet_training.mm.dir_mixin import Pyramid


@MODELS.register_module()
class TSDRoIHead(StandardRoIHead):
    """Classification and localisation on features from separate places, with the sibling head that they must exceed.

    `bbox_head` is the sibling head, which is trained but not used in prediction; `tsd_head` makes the detections. Each
    part can be left out: a margin of None leaves out its constraint, and `shift` or `deform` set to False leaves out
    the moves.
    """

    def __init__(
        self,
        *,
        tsd_head: dict[str, Any],
        shift: bool = True,
        deform: bool = True,
        cls_margin: float | None = 0.2,
        reg_margin: float | None = 0.2,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        """Builds the sibling head from MMDetection's settings, and the disentangled head.

        Args:
            tsd_head: a TSDBBoxHead.
            shift: localisation uses the features of a shifted box.
            deform: classification uses the features of moved bins.
            cls_margin: the margin by which the true class's probability should exceed the sibling's (Eq. 6).
            reg_margin: the margin by which the box's IoU should exceed the sibling's (Eq. 7).
            **settings: StandardRoIHead's settings.
        """
        super().__init__(**settings)
        self.tsd_head = MODELS.build(tsd_head)
        self.moves = {"shift": shift, "deform": deform}
        self.margins = {"cls": cls_margin, "reg": reg_margin}

    def _tsd_forward(self, x: Pyramid, rois: Tensor, roi_features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns class logits, box deltas, and the rois [N, 5] that the deltas are relative to."""
        shift, bins = self.tsd_head.moves(roi_features, rois[:, 1:])
        if not self.moves["shift"]:
            shift = torch.zeros_like(shift)
        if not self.moves["deform"]:
            bins = torch.zeros_like(bins)
        reg_features = self._pool(x, rois, shift[:, None, None])
        cls_score, bbox_pred = self.tsd_head(self._pool(x, rois, bins), reg_features)
        shifted = rois[:, 1:] + shift.repeat(1, 2)  # [N, 4]
        # The gradient of the shift is that of the features pooled there, not that of the deltas' start.
        return cls_score, bbox_pred, torch.cat([rois[:, :1], shifted.detach()], dim=1)

    def _pool(self, x: Pyramid, rois: Tensor, moves_xy: Tensor) -> Tensor:
        """Pools features of moved bins, [N, C, roi_size, roi_size], each box on the level given by the extractor."""
        extractor = self.bbox_roi_extractor
        levels = extractor.map_roi_levels(rois, extractor.num_inputs)
        size = self.tsd_head.roi_feat_size[0]
        pooled = x[0].new_zeros(len(rois), x[0].shape[1], size, size)
        for level, stride in enumerate(extractor.featmap_strides):
            for picture in range(len(x[level])):
                mine = ((levels == level) & (rois[:, 0] == picture)).nonzero().squeeze(1)
                if len(mine):
                    seen = pool_moved_bins(
                        x[level][picture], rois[mine, 1:], moves_xy[mine], stride=stride, output_size=size
                    )
                    pooled = pooled.index_copy(0, mine, seen.to(pooled.dtype))
        return pooled

    def bbox_loss(self, x: Pyramid, sampling_results: list[Any]) -> dict[str, Any]:
        """Computes the losses of the sibling head, of the disentangled head, and of the progressive constraint."""
        sibling = super().bbox_loss(x, sampling_results)
        rois = bbox2roi([result.priors for result in sampling_results])
        cls_score, bbox_pred, from_rois = self._tsd_forward(x, rois, sibling["bbox_feats"])
        shifted = _with_priors(sampling_results, from_rois[:, 1:])
        found = self.tsd_head.loss_and_target(cls_score, bbox_pred, from_rois, shifted, self.train_cfg)
        losses = dict(sibling["loss_bbox"])
        losses.update({f"tsd.{name}": value for name, value in found["loss_bbox"].items()})
        losses.update(self._constraint(sibling, rois, cls_score, bbox_pred, from_rois, sampling_results))
        return {
            **sibling,
            "loss_bbox": losses,
            "cls_score": cls_score,
            "bbox_pred": bbox_pred,
            "decoded_from": shifted,
        }

    def _constraint(
        self,
        sibling: dict[str, Tensor],
        rois: Tensor,
        cls_score: Tensor,
        bbox_pred: Tensor,
        from_rois: Tensor,
        sampling_results: list[Any],
    ) -> dict[str, Tensor]:
        """The progressive constraint on positives: relu(before + min(1 - before, margin) - after) (Eq. 6, 7)."""
        flags = [result.priors.new_zeros(len(result.priors), dtype=torch.bool) for result in sampling_results]
        for flag, result in zip(flags, sampling_results, strict=True):
            flag[: len(result.pos_priors)] = True
        rows = torch.cat(flags).nonzero().squeeze(1)  # [P]
        labels = torch.cat([result.pos_gt_labels for result in sampling_results])
        objects_xyxy = torch.cat([result.pos_gt_bboxes.view(-1, 4) for result in sampling_results])

        def probability(logits: Tensor) -> Tensor:
            return logits[rows].float().softmax(dim=1)[torch.arange(len(rows), device=rows.device), labels]

        def fit(head: Any, start: Tensor, deltas: Tensor) -> Tensor:  # noqa: ANN401
            deltas = deltas[rows]
            if not head.reg_class_agnostic:
                index = torch.arange(len(rows), device=rows.device)
                deltas = deltas.unflatten(1, (-1, 4))[index, labels]
            return geometry.iou(head.bbox_coder.decode(start[rows, 1:], deltas), objects_xyxy)

        before_after = {
            "cls": (probability(sibling["cls_score"]), probability(cls_score)),
            "reg": (fit(self.bbox_head, rois, sibling["bbox_pred"]), fit(self.tsd_head, from_rois, bbox_pred)),
        }
        losses: dict[str, Tensor] = {}
        for name, (before, after) in before_after.items():
            margin = self.margins[name]
            if margin is not None:
                wanted = before.detach() + (1 - before.detach()).clamp(max=margin)
                losses[f"tsd.loss_pc_{name}"] = (wanted - after).clamp(min=0).sum() / max(len(rows), 1)
        return losses

    def predict_bbox(
        self,
        x: Pyramid,
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: ConfigDict | None,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Predicts the detections of the disentangled head; returns raw boxes and scores without a test_cfg."""
        proposals = [result.bboxes for result in rpn_results_list]
        rois = bbox2roi(proposals)
        head = self.tsd_head
        self.decoded_from = proposals
        if len(rois) == 0:
            return empty_instances(
                batch_img_metas,
                rois.device,
                task_type="bbox",
                box_type=head.predict_box_type,
                num_classes=head.num_classes,
                score_per_cls=rcnn_test_cfg is None,
            )
        features = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], rois)
        cls_scores, bbox_preds, from_rois = self._tsd_forward(x, rois, features)
        sizes = [len(boxes) for boxes in proposals]
        self.decoded_from = [part[:, 1:] for part in from_rois.split(sizes)]
        return head.predict_by_feat(
            rois=from_rois.split(sizes),
            cls_scores=cls_scores.split(sizes),
            bbox_preds=bbox_preds.split(sizes),
            batch_img_metas=batch_img_metas,
            rcnn_test_cfg=rcnn_test_cfg,
            rescale=rescale,
        )


def _with_priors(sampling_results: list[Any], boxes_xyxy: Tensor) -> list[Any]:
    """Returns the same samples with moved boxes, [R, 4] of all pictures, one after another."""
    moved: list[Any] = []
    for result, boxes in zip(
        sampling_results, boxes_xyxy.split([len(result.priors) for result in sampling_results]), strict=True
    ):
        sample = copy.copy(result)
        sample.pos_priors, sample.neg_priors = boxes[: len(result.pos_priors)], boxes[len(result.pos_priors) :]
        moved.append(sample)
    return moved
