"""Soft-NMS (ICCV 2017), with either decay."""

from dirdet_training.nms.suppression import SoftNMS
from dirdet_training.rivals.rival import Rival
from dirdet_training.rivals.tuning import SIGMAS, SIX_THRESHOLDS, Trial

SOFT_LINEAR = Rival(
    "soft_nms_linear",
    SoftNMS("linear", from_iou=0.3),  # the paper's threshold
    tuple(Trial(SoftNMS("linear", from_iou=threshold), 0.5) for threshold in SIX_THRESHOLDS),
)
SOFT_GAUSSIAN = Rival(
    "soft_nms_gaussian",
    SoftNMS("gaussian"),
    tuple(Trial(SoftNMS("gaussian", sigma=sigma), 0.5) for sigma in SIGMAS),
)
