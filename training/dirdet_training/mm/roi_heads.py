"""MMDetection's RoI heads with DIR: a class line for each, and what truly differs."""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false, reportArgumentType=false

from typing import Any

from mmdet.models.roi_heads import CascadeRoIHead, DoubleHeadRoIHead, HybridTaskCascadeRoIHead, StandardRoIHead
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from dirdet_training.mm.dir_mixin import DIRMixin, Pyramid
from dirdet_training.mm.tsd import TSDRoIHead


class _OneStage(DIRMixin):
    """DIR where boxes are refined once."""

    def bbox_loss(self, x: Pyramid, sampling_results: list[Any]) -> dict[str, Any]:
        """The box head's losses; DIR learns from the boxes it regressed."""
        results = super().bbox_loss(x, sampling_results)
        self.remember(self.bbox_head, sampling_results, results["bbox_pred"])
        return results

    def starts_xyxy(self, rpn_results_list: list[InstanceData]) -> list[Tensor]:
        """What the last boxes that were predicted started from, one [R, 4] a picture."""
        return [result.bboxes for result in rpn_results_list]

    def predict_bbox(
        self,
        x: Pyramid,
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: ConfigDict | None,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Detections ranked by confidence; raw boxes and scores where no test_cfg is given, as MMDetection has it."""
        if rcnn_test_cfg is None:
            return super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale=rescale)
        raw = super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale=False)
        return self.rank(x, raw, self.starts_xyxy(rpn_results_list), batch_img_metas, rcnn_test_cfg, rescale=rescale)


@MODELS.register_module()
class DIRStandardRoIHead(_OneStage, StandardRoIHead):
    """The RoI head of Faster R-CNN, Mask R-CNN and their deformable siblings, with DIR (section 3.4)."""


@MODELS.register_module()
class DIRDoubleHeadRoIHead(_OneStage, DoubleHeadRoIHead):
    """Double-Head's RoI head with DIR, which looks at what its classifier sees: the box as it is, not enlarged."""


@MODELS.register_module()
class DIRTSDRoIHead(_OneStage, TSDRoIHead):
    """TSD's RoI head with DIR: it judges the boxes of the disentangled head, which start from shifted proposals."""

    def bbox_loss(self, x: Pyramid, sampling_results: list[Any]) -> dict[str, Any]:
        """TSD's losses; DIR learns from the boxes that the disentangled head regressed."""
        results = TSDRoIHead.bbox_loss(self, x, sampling_results)
        self.remember(self.tsd_head, results["decoded_from"], results["bbox_pred"])
        return results

    def starts_xyxy(self, rpn_results_list: list[InstanceData]) -> list[Tensor]:  # noqa: ARG002
        """The shifted proposals, one [R, 4] a picture."""
        return self.decoded_from


class _Stages(DIRMixin):
    """DIR where boxes are refined in several stages: it looks at the last ones."""

    def box_features(self, x: Pyramid, boxes_xyxy: list[Tensor]) -> Tensor:
        """Features pooled as the last stage pools them, [sum N_b, C, roi_size, roi_size]."""
        extractor = self.bbox_roi_extractor[-1]
        return extractor(x[: extractor.num_inputs], bbox2roi(boxes_xyxy))

    def bbox_loss(
        self,
        stage: int,
        x: Pyramid,
        sampling_results: list[Any],
        **settings: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """A stage's losses; DIR learns from the boxes that the last one regressed."""
        results = super().bbox_loss(stage, x, sampling_results, **settings)
        if stage == self.num_stages - 1:
            self.remember(self.bbox_head[stage], sampling_results, results["bbox_pred"])
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
        """Detections ranked by confidence; raw boxes and scores where no test_cfg is given, as MMDetection has it."""
        if rcnn_test_cfg is None:
            return super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale=rescale, **settings)
        # Where there is no proposal at all, no stage runs.
        self._last_rois = [x[0].new_zeros(0, 5) for _ in batch_img_metas]
        raw = super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale=False, **settings)
        proposals = [rois[:, 1:] for rois in self._last_rois]
        del self._last_rois
        return self.rank(x, raw, proposals, batch_img_metas, rcnn_test_cfg, rescale=rescale)


@MODELS.register_module()
class DIRCascadeRoIHead(_Stages, CascadeRoIHead):
    """Cascade R-CNN's RoI head with DIR. DIR's losses are not among those that `stage_loss_weights` scales."""


@MODELS.register_module()
class DIRHybridTaskCascadeRoIHead(_Stages, HybridTaskCascadeRoIHead):
    """HTC's RoI head with DIR, which sees the semantic branch's features where the box heads do."""

    def box_features(self, x: Pyramid, boxes_xyxy: list[Tensor]) -> Tensor:
        """The last stage's features, with the semantic ones added, [sum N_b, C, roi_size, roi_size]."""
        features = super().box_features(x, boxes_xyxy)
        if not self.with_semantic or "bbox" not in self.semantic_fusion:
            return features
        semantic = self.semantic_roi_extractor([self._semantic], bbox2roi(boxes_xyxy))
        if semantic.shape[-2:] != features.shape[-2:]:
            semantic = adaptive_avg_pool2d(semantic, features.shape[-2:])
        return features + semantic

    def _bbox_forward(
        self, stage: int, x: Pyramid, rois: Tensor, semantic_feat: Tensor | None = None
    ) -> dict[str, Tensor]:
        self._semantic = semantic_feat
        return super()._bbox_forward(stage, x, rois, semantic_feat=semantic_feat)
