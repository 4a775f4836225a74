"""MMDetection's classes, imported after the plug-in that gives mmcv its operators."""

from dirdet_training.mm.roi_heads import DIRStandardRoIHead

# isort: split
from mmcv.ops import RoIAlign
from mmdet.models import FasterRCNN, RPNHead, SingleRoIExtractor, StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi

__all__ = [
    "DATASETS",
    "AnchorGenerator",
    "ConvFCBBoxHead",
    "DIRStandardRoIHead",
    "DeltaXYWHBBoxCoder",
    "DetDataSample",
    "FasterRCNN",
    "RPNHead",
    "RoIAlign",
    "SingleRoIExtractor",
    "StandardRoIHead",
    "bbox2roi",
]
