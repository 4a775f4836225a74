"""The whole detector: trunk and RoI stage in one module."""

from torch import Tensor, nn

from dirdet_export.graph.roi_stage import RoIStage
from dirdet_export.graph.trunk import Trunk


class Detector(nn.Module):
    """The graph of detector.onnx."""

    def __init__(self, *, trunk: Trunk, roi_stage: RoIStage) -> None:
        super().__init__()
        self.trunk = trunk
        self.roi_stage = roi_stage

    def forward(self, canvas: Tensor, picture_hw: Tensor, *request: Tensor) -> tuple[Tensor, ...]:
        """Detections of canvases.

        Args:
            canvas: uint8 [B, H, W, 3], RGB, H and W multiples of 32.
            picture_hw: [B, 2], integers, size of the picture on each canvas.
            *request: `score_threshold` [B], with a DIR head `iou_weight` [B], and `nms_iou_threshold` [].

        Returns:
            As RoIStage.
        """
        return self.roi_stage(*self.trunk(canvas, picture_hw), picture_hw, *request)
