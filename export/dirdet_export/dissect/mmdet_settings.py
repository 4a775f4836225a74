"""Reads test_cfg: sizes, thresholds and NMS; a setting that the graph does not reproduce is refused by name."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dirdet.detection.selection import Selection
from dirdet_export.dissect.supported import POINT_REND, last_of, require
from dirdet_training.mm.dir_mixin import DEFAULT_MAX_CANDIDATES, DIRMixin
from dirdet_training.nms import Selection as RankedSelection

# MMDetection has no such limit. At COCO's usual settings it is ten times what detectors have above the threshold; above
# it, mmcv's own NMS changes its way (`split_thr`).
MOST_CANDIDATES = 9_999
# With a DIR head and a box for each class, every candidate may be pooled once more, 50 kB each: a request with a
# threshold and a weight of 0 could ask for all.
MOST_POOLED_CANDIDATES = 2_000

# The graph's NMS is the paper's; what follows it is the bundle's `selection`.
RANKED_NMS = ("cluster_by", "representative", "voting", "report_by")
RCNN_SETTINGS = frozenset({"score_thr", "nms", "max_per_img", "mask_thr_binary"})
DIR_SETTINGS = frozenset({"max_candidates", "iou_weight", "combination", "calibration", "all_judges", *RANKED_NMS})
POINT_SETTINGS = frozenset({"subdivision_steps", "subdivision_num_points", "scale_factor"})
RPN_SETTINGS = frozenset({"nms_pre", "nms", "max_per_img", "min_bbox_size"})
# Settings of MMDetection 2 that MMDetection 3 does not read.
UNREAD = frozenset({"nms_across_levels", "nms_post", "max_num", "nms_thr"})
NMS_SETTINGS = frozenset(
    {"type", "iou_threshold", "split_thr", "class_agnostic", "max_num", "offset", "score_threshold"}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and default thresholds of a detector.

    Attributes:
        max_candidates: M.
        max_detections: D.
        score_threshold: a candidate's score is above it.
        nms_iou_threshold: of the last NMS.
        iou_weight: w of the confidence; 0 for a plain detector.
        predicts_iou: whether there is a DIR head.
        mask_threshold: a pixel belongs to a mask if its probability is at least this; None without masks.
        judged: candidates that the DIR head judges, and that remain, where w is above 0; None for M.
        nms_over_classes: whether the last NMS compares boxes of different classes.
        selection: further steps of the ranked NMS; None for the paper's.
    """

    max_candidates: int
    max_detections: int
    score_threshold: float
    nms_iou_threshold: float
    iou_weight: float
    predicts_iou: bool
    mask_threshold: float | None = None
    judged: int | None = None
    nms_over_classes: bool = False
    selection: Selection | None = None

    @property
    def considered(self) -> int:
        """Most candidates of a picture at the default weight."""
        return self.judged if self.judged is not None and self.iou_weight > 0 else self.max_candidates


@dataclass(frozen=True, slots=True)
class NmsSettings:
    """An NMS config.

    Attributes:
        iou_threshold: a box is dropped if its IoU with a better one is above this.
        over_groups: whether boxes of different groups (classes, levels) are compared.
        most: kept boxes; None for all.
    """

    iou_threshold: float
    over_groups: bool
    most: int | None


def read_nms(config: Mapping[str, Any] | None, *, name: str) -> NmsSettings:
    """The settings of one of mmcv's plain NMS.

    Raises:
        UnsupportedError: another type, or a setting that the graph does not reproduce.
    """
    require(config is not None, True, name=f"a setting {name}")
    settings = dict(config or {})
    require(settings.get("type", "nms"), "nms", name=f"{name}.type")
    require(
        sorted(set(settings) - NMS_SETTINGS), [], name=f"settings of {name} beside {', '.join(sorted(NMS_SETTINGS))}"
    )
    require(settings.get("offset", 0), 0, name=f"{name}.offset")
    require(settings.get("score_threshold", 0), 0, name=f"{name}.score_threshold")
    most = int(settings.get("max_num", -1))
    return NmsSettings(
        iou_threshold=float(settings["iou_threshold"]),
        over_groups=bool(settings.get("class_agnostic", False)),
        most=most if most > 0 else None,
    )


def _check_names(config: Mapping[str, Any], known: frozenset[str], *, name: str) -> None:
    unknown = sorted(set(config) - known - UNREAD)
    require(unknown, [], name=f"settings of {name} beside {', '.join(sorted(known))}")


def read_limits(model: Any) -> Limits:  # noqa: ANN401
    """Sizes and thresholds from the detector's test_cfg.

    Raises:
        UnsupportedError: the exported graph cannot reproduce a setting.
    """
    roi_head, config = model.roi_head, model.roi_head.test_cfg
    predicts_iou, has_masks = isinstance(roi_head, DIRMixin), bool(roi_head.with_mask)
    points = POINT_SETTINGS if isinstance(roi_head, POINT_REND) else frozenset[str]()
    _check_names(config, RCNN_SETTINGS | DIR_SETTINGS | points, name="test_cfg.rcnn")
    nms = read_nms(config.nms, name="test_cfg.rcnn.nms")
    keep, threshold = int(config.max_per_img), float(config.score_thr)
    if predicts_iou:
        _check_ranked_nms(roi_head)
    candidates = _max_candidates(model, threshold, predicts_iou=predicts_iou)
    judged = int(config.get("max_candidates", DEFAULT_MAX_CANDIDATES)) if predicts_iou else None
    if has_masks:
        require(keep > 0, True, name="a limit test_cfg.rcnn.max_per_img of a detector with masks")
    most = min(each for each in (keep if keep > 0 else candidates, nms.most, candidates) if each is not None)
    return Limits(
        max_candidates=candidates,
        max_detections=most,
        score_threshold=threshold,
        nms_iou_threshold=nms.iou_threshold,
        iou_weight=float(config.get("iou_weight", 0.5)) if predicts_iou else 0.0,
        predicts_iou=predicts_iou,
        mask_threshold=_mask_threshold(config) if has_masks else None,
        judged=judged if judged is not None and judged < candidates else None,
        nms_over_classes=nms.over_groups,
        selection=_read_selection(config, has_masks=has_masks, over_classes=nms.over_groups) if predicts_iou else None,
    )


def _check_ranked_nms(roi_head: Any) -> None:  # noqa: ANN401
    require(roi_head.sights["dir"].inference, "refined", name="roi_head.sights.inference")
    require(roi_head.test_cfg.get("combination", "iou"), "iou", name="test_cfg.rcnn.combination")


def _read_selection(config: Mapping[str, Any], *, has_masks: bool, over_classes: bool) -> Selection | None:
    """The steps that the server takes after the network; None if the network's NMS is all."""
    said = RankedSelection.of(config)
    if said == RankedSelection(iou_weight=said.iou_weight, calibration=said.calibration):
        return None
    # Masks are of the boxes that the network keeps.
    require(has_masks, False, name=f"masks with one of test_cfg.rcnn.{', '.join(RANKED_NMS)}")
    require(over_classes, False, name=f"nms.class_agnostic with one of test_cfg.rcnn.{', '.join(RANKED_NMS)}")
    steps = asdict(said)
    return Selection.model_validate({name: steps[name] for name in (*RANKED_NMS, "calibration")})


def _max_candidates(model: Any, threshold: float, *, predicts_iou: bool) -> int:  # noqa: ANN401
    """M: as many as can be above the threshold, since a proposal's probabilities add up to 1."""
    head = last_of(model.roi_head.bbox_head)
    each = head.num_classes if threshold <= 0 else min(head.num_classes, math.floor(1 / threshold))
    possible = int(model.rpn_head.test_cfg.max_per_img) * max(1, each)
    if predicts_iou:
        return min(possible, MOST_CANDIDATES if head.reg_class_agnostic else MOST_POOLED_CANDIDATES)
    # A plain detector of MMDetection does not read max_candidates.
    return min(possible, MOST_CANDIDATES)


def _mask_threshold(config: Mapping[str, Any]) -> float:
    threshold = float(config["mask_thr_binary"])
    require(0 <= threshold <= 1, True, name="test_cfg.rcnn.mask_thr_binary in 0..1")
    return threshold


@dataclass(frozen=True, slots=True)
class ProposalLimits:
    """The settings test_cfg.rpn.

    Attributes:
        per_level: best anchors of each level; None for all.
        keep: proposals of a picture.
        iou_threshold: of the NMS within each level.
        min_side: boxes whose width or height is not above this are dropped, pixels; None for none.
    """

    per_level: int | None
    keep: int
    iou_threshold: float
    min_side: float | None


def read_proposal_limits(config: Mapping[str, Any]) -> ProposalLimits:
    """The settings of the RPN.

    Raises:
        UnsupportedError: the exported graph cannot reproduce a setting.
    """
    _check_names(config, RPN_SETTINGS, name="test_cfg.rpn")
    nms = read_nms(config.get("nms"), name="test_cfg.rpn.nms")
    require(nms.over_groups, False, name="test_cfg.rpn.nms.class_agnostic")
    keep, per_level = int(config["max_per_img"]), int(config.get("nms_pre", -1))
    require(keep > 0, True, name="a limit test_cfg.rpn.max_per_img")
    min_side = float(config.get("min_bbox_size", -1))
    return ProposalLimits(
        per_level=per_level if per_level > 0 else None,
        keep=keep if nms.most is None else min(keep, nms.most),
        iou_threshold=nms.iou_threshold,
        min_side=min_side if min_side >= 0 else None,
    )
