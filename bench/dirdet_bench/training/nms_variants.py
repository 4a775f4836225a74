"""Every NMS with its counterpart, and whether both give the same answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from dirdet.detection.ranking import ranked_nms as numpy_nms
from dirdet_bench.harness.report import Goal
from dirdet_training.nms.ranks import Candidates
from dirdet_training.nms.suppression import Kept, SoftNMS
from dirdet_training.rivals import RANKS, SUPPRESSIONS
from dirdet_training.rivals.single_branch import COLUMN

Run = Callable[[Candidates], Kept]

TORCHVISION, NUMPY = "torchvision batched_nms", "numpy, dirdet.detection.ranking"
MMCV = {"linear": "mmcv soft_nms, linear", "gaussian": "mmcv soft_nms, Gaussian"}
IOU_THRESHOLD = 0.5
# As in the paper of Soft-NMS, in MMDetection and here.
SOFT_IOU_THRESHOLD, SIGMA, MIN_SCORE = 0.3, 0.5, 0.001
# Of decayed scores: single precision, rounded in another order.
SCORES_WITHIN = 1e-6
RANKED_GOAL, SOFT_GOAL, SOFT_GOAL_BOXES = Goal(at_most=1.1), Goal(at_most=0.1), 1000


@dataclass(frozen=True)
class Variant:
    """An NMS, maybe with a counterpart to which its time is compared by name.

    Attributes:
        same: the part of both answers that has to be equal.
    """

    run: Run
    against: str | None = None
    goal: Goal | None = None
    same: Literal["survivors", "scores"] = "survivors"


def variants(*, count: int, mmcv_nms: Any | None) -> dict[str, Variant]:  # noqa: ANN401 - mmcv has no types
    """All variants by name, each behind its counterpart; goals depend on the number of boxes."""
    found: dict[str, Variant] = {TORCHVISION: Variant(_torchvision)}
    for name in RANKS:
        goal = RANKED_GOAL if name in {"dir", "score"} else None
        found[f"ranked by {name}"] = Variant(_under(SUPPRESSIONS[name]), TORCHVISION, goal)
    found["iou_nms"] = Variant(_under(SUPPRESSIONS["iou_nms"]), TORCHVISION)
    found[NUMPY] = Variant(_numpy, TORCHVISION)
    for decay, name in MMCV.items():
        if mmcv_nms is not None:
            found[name] = Variant(_mmcv(mmcv_nms, decay))
        soft = SoftNMS("linear" if decay == "linear" else "gaussian", sigma=SIGMA, min_score=MIN_SCORE)
        found[f"soft_nms_{decay}"] = Variant(
            _under(soft, SOFT_IOU_THRESHOLD),
            name if mmcv_nms is not None else None,
            SOFT_GOAL if mmcv_nms is not None and count == SOFT_GOAL_BOXES else None,
            same="scores",
        )
    found["dir_soft"] = Variant(_under(SUPPRESSIONS["dir_soft"]))
    return found


def difference(one: Variant, other: Variant, candidates: Candidates) -> str | None:
    """How two answers differ, in words; None if they do not."""
    kept, expected = one.run(candidates), other.run(candidates)
    if one.same == "survivors":
        apart = set(kept.indices.tolist()) ^ set(expected.indices.tolist())
        return f"{len(apart)} boxes are kept by one alone" if apart else None
    ours, theirs = (
        dict(zip(each.indices.tolist(), each.confidences.tolist(), strict=True)) for each in (kept, expected)
    )
    # A score within rounding of the lowest may be on either side of it.
    lost = [index for index in ours.keys() ^ theirs.keys() if (ours | theirs)[index] > MIN_SCORE + SCORES_WITHIN]
    apart = [index for index in ours.keys() & theirs.keys() if abs(ours[index] - theirs[index]) > SCORES_WITHIN]
    if lost or apart:
        return f"{len(lost)} boxes are kept by one alone, {len(apart)} scores differ by more than {SCORES_WITHIN}"
    return None


def expected_of(name: str, candidates: Candidates) -> Variant:
    """Torchvision's NMS by the rank of a variant: what the variant has to keep."""
    rank = name.removeprefix("ranked by ")
    leads = RANKS[rank](candidates) if rank in RANKS else candidates.learnt[COLUMN] if rank == "iou_nms" else None
    return Variant(lambda given: _torchvision(given, leads))


def _torchvision(candidates: Candidates, ranks: Tensor | None = None) -> Kept:
    led_by = candidates.scores if ranks is None else ranks
    kept = batched_nms(candidates.boxes_xyxy, led_by, candidates.class_ids, IOU_THRESHOLD)
    return Kept(kept, led_by[kept])


def _under(suppression: Callable[[Candidates, float], Kept], threshold: float = IOU_THRESHOLD) -> Run:
    return lambda candidates: suppression(candidates, threshold)


def _numpy(candidates: Candidates) -> Kept:
    boxes, classes, scores = (
        values.cpu().numpy() for values in (candidates.boxes_xyxy, candidates.class_ids, candidates.scores)
    )
    kept = torch.from_numpy(numpy_nms(boxes, classes, scores, iou_threshold=IOU_THRESHOLD))
    return Kept(kept, candidates.scores.cpu()[kept])


def _mmcv(mmcv_nms: Any, decay: str) -> Run:  # noqa: ANN401
    settings: Mapping[str, Any] = {
        "type": "soft_nms",
        "iou_threshold": SOFT_IOU_THRESHOLD,
        "method": decay,
        "sigma": SIGMA,
        "min_score": MIN_SCORE,
    }

    def run(candidates: Candidates) -> Kept:
        found, kept = mmcv_nms(candidates.boxes_xyxy, candidates.scores, candidates.class_ids, dict(settings))
        return Kept(kept, found[:, 4])

    return run
