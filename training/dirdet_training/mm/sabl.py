"""SABL's box head for DIR: its raw results tell how sure it is of a box's sides."""

from typing import Any

from mmdet.models.roi_heads.bbox_heads import SABLHead
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor


@MODELS.register_module()
class DIRSABLHead(SABLHead):
    """Side-Aware Boundary Localization (ECCV 2020), whose scores are multiplied by the certainty of the sides."""

    def _predict_by_feat_single(
        self,
        roi: Tensor,
        cls_score: Any,  # noqa: ANN401
        bbox_pred: tuple[Tensor, Tensor],
        img_meta: dict[str, Any],
        rescale: bool = False,
        rcnn_test_cfg: ConfigDict | None = None,
    ) -> InstanceData:
        results = super()._predict_by_feat_single(
            roi, cls_score, bbox_pred, img_meta, rescale=rescale, rcnn_test_cfg=rcnn_test_cfg
        )
        if rcnn_test_cfg is None:
            # Without NMS, MMDetection leaves the factors of the scores out.
            results.factors = self.bbox_coder.decode(roi[:, 1:], bbox_pred, img_meta["img_shape"])[1]
        return results
