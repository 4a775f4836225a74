"""MMDetection's RoI heads with DIR: one class for each, with the parts in which it differs from DIRMixin."""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false, reportArgumentType=false

from typing import Any

from mmdet.models.roi_heads import (
    CascadeRoIHead,
    DoubleHeadRoIHead,
    HybridTaskCascadeRoIHead,
    MaskScoringRoIHead,
    PointRendRoIHead,
    SCNetRoIHead,
    StandardRoIHead,
)
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from dirdet_training.mm.dir_mixin import DIRMixin, Pyramid
from dirdet_training.mm.tsd import TSDRoIHead


class _OneStage(DIRMixin):
    """DIR for heads that refine boxes once."""

    def bbox_loss(self, x: Pyramid, sampling_results: list[Any]) -> dict[str, Any]:
        """Computes the box head's losses; DIR is trained on the boxes that it regressed."""
        results = super().bbox_loss(x, sampling_results)
        self.remember(self.bbox_head, sampling_results, results)
        return results

    def starts_xyxy(self, rpn_results_list: list[InstanceData]) -> list[Tensor]:
        """Returns the boxes that the last predicted boxes were regressed from, one [R, 4] for each picture."""
        return [result.bboxes for result in rpn_results_list]

    def predict_bbox(
        self,
        x: Pyramid,
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: ConfigDict | None,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Predicts detections ranked by confidence; without a test_cfg returns raw boxes and scores, as MMDetection."""
        if rcnn_test_cfg is None:
            return super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale=rescale)
        raw, starts = self.raw_boxes(x, batch_img_metas, rpn_results_list)
        return self.rank(x, raw, starts, batch_img_metas, rcnn_test_cfg, rescale=rescale)

    def raw_boxes(
        self, x: Pyramid, batch_img_metas: list[dict[str, Any]], rpn_results_list: list[InstanceData]
    ) -> tuple[list[InstanceData], list[Tensor]]:
        """Predicts boxes and probabilities without NMS, and the boxes [R, 4] that they were regressed from."""
        raw = super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale=False)
        return raw, self.starts_xyxy(rpn_results_list)


@MODELS.register_module()
class DIRStandardRoIHead(_OneStage, StandardRoIHead):
    """The RoI head of Faster R-CNN, Mask R-CNN and their deformable variants, with DIR (section 3.4)."""


@MODELS.register_module()
class DIRMaskScoringRoIHead(_OneStage, MaskScoringRoIHead):
    """The RoI head of Mask Scoring R-CNN with DIR."""


@MODELS.register_module()
class DIRPointRendRoIHead(_OneStage, PointRendRoIHead):
    """The RoI head of PointRend with DIR."""


@MODELS.register_module()
class DIRTridentRoIHead(DIRStandardRoIHead):
    """The RoI head of TridentNet with DIR, for inference with one branch."""

    def __init__(self, *, num_branch: int, test_branch_idx: int, **settings: Any) -> None:  # noqa: ANN401
        """Builds the head.

        Raises:
            ValueError: inference uses all branches, whose detections are merged by another NMS.
        """
        if test_branch_idx == -1:
            raise ValueError("DIR needs a TridentNet with one branch in inference: test_branch_idx must not be -1")
        super().__init__(**settings)
        self.num_branch = num_branch
        self.test_branch_idx = test_branch_idx


@MODELS.register_module()
class DIRDoubleHeadRoIHead(_OneStage, DoubleHeadRoIHead):
    """Double-Head's RoI head with DIR, which uses the classifier's features, pooled on the box without enlarging it."""


@MODELS.register_module()
class DIRTSDRoIHead(_OneStage, TSDRoIHead):
    """TSD's RoI head with DIR: it judges the boxes of the disentangled head, which start from shifted proposals."""

    def bbox_loss(self, x: Pyramid, sampling_results: list[Any]) -> dict[str, Any]:
        """Computes TSD's losses; DIR is trained on the boxes that the disentangled head regressed."""
        results = TSDRoIHead.bbox_loss(self, x, sampling_results)
        self.remember(self.tsd_head, results["decoded_from"], results)
        return results

    def starts_xyxy(self, rpn_results_list: list[InstanceData]) -> list[Tensor]:  # noqa: ARG002
        """Returns the shifted proposals, one [R, 4] for each picture."""
        return self.decoded_from


class _Stages(DIRMixin):
    """DIR for heads that refine boxes in several stages; it uses the boxes of the last stage."""

    def box_features(self, x: Pyramid, boxes_xyxy: list[Tensor]) -> Tensor:
        """Pools features as the last stage does, [sum N_b, C, roi_size, roi_size]."""
        extractor = self.bbox_roi_extractor[-1]
        return extractor(x[: extractor.num_inputs], bbox2roi(boxes_xyxy))

    def bbox_loss(
        self,
        stage: int,
        x: Pyramid,
        sampling_results: list[Any],
        **settings: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Computes a stage's losses; DIR is trained on the boxes that the last stage regressed."""
        results = super().bbox_loss(stage, x, sampling_results, **settings)
        if stage == self.num_stages - 1:
            self.remember(self.bbox_head[stage], sampling_results, results)
        return results

    def _refine_roi(self, *args: Any, **settings: Any) -> tuple[Any, ...]:  # noqa: ANN401
        refined = super()._refine_roi(*args, **settings)
        self._last_rois: list[Tensor] = refined[0]
        return refined

    def predict_bbox(
        self,
        x: Pyramid,
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: ConfigDict | None,
        rescale: bool = False,
        **settings: Any,  # noqa: ANN401
    ) -> list[InstanceData]:
        """Predicts detections ranked by confidence; without a test_cfg returns raw boxes and scores, as MMDetection."""
        if rcnn_test_cfg is None:
            return super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale=rescale, **settings)
        raw, starts = self.raw_boxes(x, batch_img_metas, rpn_results_list, **settings)
        return self.rank(x, raw, starts, batch_img_metas, rcnn_test_cfg, rescale=rescale)

    def raw_boxes(
        self,
        x: Pyramid,
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        **settings: Any,  # noqa: ANN401
    ) -> tuple[list[InstanceData], list[Tensor]]:
        """Predicts boxes and probabilities without NMS, and the last stage's boxes [R, 4] that they start from."""
        # If there is no proposal at all, no stage runs.
        self._last_rois = [x[0].new_zeros(0, 5) for _ in batch_img_metas]
        raw = super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale=False, **settings)
        starts = [rois[:, 1:] for rois in self._last_rois]
        del self._last_rois
        return raw, starts


@MODELS.register_module()
class DIRCascadeRoIHead(_Stages, CascadeRoIHead):
    """Cascade R-CNN's RoI head with DIR; `stage_loss_weights` does not scale DIR's losses."""


class _Semantic(_Stages):
    """DIR for cascades with a semantic branch; DIR uses its features if the box heads do."""

    def box_features(self, x: Pyramid, boxes_xyxy: list[Tensor]) -> Tensor:
        """Pools the last stage's features and adds the semantic features, [sum N_b, C, roi_size, roi_size]."""
        features = super().box_features(x, boxes_xyxy)
        if not self.with_semantic or "bbox" not in getattr(self, "semantic_fusion", ("bbox",)):
            return features
        semantic = self.semantic_roi_extractor([self._of_picture["semantic_feat"]], bbox2roi(boxes_xyxy))
        if semantic.shape[-2:] != features.shape[-2:]:
            semantic = adaptive_avg_pool2d(semantic, features.shape[-2:])
        return features + semantic

    def branches(self) -> dict[str, Any]:
        """The heads of features of whole pictures, by the names that these have in `_bbox_forward`."""
        return {"semantic_feat": self.semantic_head} if self.with_semantic else {}

    def raw_boxes(
        self,
        x: Pyramid,
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        **settings: Any,  # noqa: ANN401
    ) -> tuple[list[InstanceData], list[Tensor]]:
        """As in Cascade R-CNN; computes the features of whole pictures unless they are given."""
        for name, head in self.branches().items():
            if settings.get(name) is None:
                settings[name] = head(x)[1]
        return super().raw_boxes(x, batch_img_metas, rpn_results_list, **settings)

    def _bbox_forward(self, stage: int, x: Pyramid, rois: Tensor, **of_picture: Tensor) -> dict[str, Tensor]:
        self._of_picture = of_picture
        return super()._bbox_forward(stage, x, rois, **of_picture)


@MODELS.register_module()
class DIRHybridTaskCascadeRoIHead(_Semantic, HybridTaskCascadeRoIHead):
    """HTC's RoI head with DIR."""


@MODELS.register_module()
class DIRSCNetRoIHead(_Semantic, SCNetRoIHead):
    """SCNet's RoI head with DIR, which uses the context of the whole picture as the box heads do."""

    def box_features(self, x: Pyramid, boxes_xyxy: list[Tensor]) -> Tensor:
        """Pools the last stage's features and adds the semantic ones and the context."""
        features = super().box_features(x, boxes_xyxy)
        if not self.with_glbctx:
            return features
        pictures = bbox2roi(boxes_xyxy)[:, 0].long()  # [sum N_b]
        return features + self._of_picture["glbctx_feat"][pictures]

    def branches(self) -> dict[str, Any]:
        """The heads of the semantic features and of the context."""
        return {**super().branches(), **({"glbctx_feat": self.glbctx_head} if self.with_glbctx else {})}
