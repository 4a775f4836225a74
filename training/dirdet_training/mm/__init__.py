"""The MMDetection plug-in: importing it registers dirdet's heads, backbone and metrics with mmdet."""

from dirdet_training.mm import ops

ops.install()

# Only now: these import mmcv.ops.
from dirdet_training.mm import backbone, metric, roi_heads  # noqa: E402

__all__ = ["backbone", "metric", "ops", "roi_heads"]
