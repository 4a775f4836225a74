"""IoU-Net (ECCV 2018): predicts the IoU of a box per class, trained on jittered objects, and the NMS ranked by it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from dirdet_training import geometry
from dirdet_training.head import branch
from dirdet_training.nms import iou_nms
from dirdet_training.nms.ranks import Candidates, require
from dirdet_training.nms.suppression import Kept
from dirdet_training.rivals.rival import Judge, Rival
from dirdet_training.rivals.single_branch import COLUMN
from dirdet_training.rivals.tuning import SIX_THRESHOLDS, Trial

if TYPE_CHECKING:
    from dirdet_training.mm.examples import Examples

JUDGEMENT = "iou_net/refined/ious"


class IoUNetHead(nn.Module):
    """Predicts, for every class, the IoU that a box has if its object is of that class (ECCV 2018)."""

    def __init__(self, in_channels: int, num_classes: int, roi_size: int = 7, fc_channels: int = 1024) -> None:
        """Three fully-connected layers.

        Args:
            in_channels: channels of the RoI features.
            num_classes: without background.
            roi_size: side of the pooled square.
            fc_channels: width of the two hidden layers.
        """
        super().__init__()
        self.iou = branch(in_channels * roi_size * roi_size, fc_channels, num_classes)

    def forward(self, roi_features: Tensor) -> Tensor:
        """Normalised IoUs [N, classes] for RoI features [N, C, roi_size, roi_size]: -1 is an IoU of 0.5, 1 of 1."""
        return self.iou(torch.flatten(roi_features, 1))


def predicted_ious(normalised: Tensor, class_ids: Tensor) -> Tensor:
    """IoUs of boxes as objects of their classes.

    Args:
        normalised: [N, classes], the head's.
        class_ids: [N].

    Returns:
        [N] in [0, 1].
    """
    return ((_of_class(normalised, class_ids) + 3) / 4).clamp(0, 1)


def iou_net_loss(normalised: Tensor, class_ids: Tensor, boxes_xyxy: Tensor, objects_xyxy: Tensor) -> Tensor:
    """Mean smooth L1 of the predicted IoU, on boxes that `jittered_boxes` made.

    Args:
        normalised: [N, classes], the head's.
        class_ids: [N], the objects' classes; the other classes' predictions learn nothing.
        boxes_xyxy: [N, 4], pixels; no gradient flows through them.
        objects_xyxy: [N, 4], pixels.

    Returns:
        A scalar; zero, but joined to the graph, for N = 0.
    """
    # Targets are uniform over [0.5, 1], and so over [-1, 1] as the head gives them.
    targets = 4 * geometry.iou(boxes_xyxy.detach(), objects_xyxy).float() - 3
    total = smooth_l1_loss(_of_class(normalised, class_ids), targets, reduction="sum")
    return total / max(len(normalised), 1)


def _of_class(normalised: Tensor, class_ids: Tensor) -> Tensor:
    """Each row's entry at its class, [N], in float32."""
    return normalised.float().gather(1, class_ids[:, None].long()).squeeze(1)


@dataclass(frozen=True)
class IoUNMS:
    """NMS led by the predicted IoU, whose survivors take the best score of their cluster."""

    def __call__(self, candidates: Candidates, iou_threshold: float) -> Kept:
        """Suppresses by IoU: the one predicted as one number where there is one, else DIR's."""
        ious = candidates.learnt.get(COLUMN, candidates.ious)
        return Kept(
            *iou_nms(
                candidates.boxes_xyxy,
                candidates.scores,
                require(ious, "iou_nms", "a head that predicts the IoU"),
                candidates.nms_groups,
                iou_threshold=iou_threshold,
            )
        )


def _losses(normalised: Tensor, examples: "Examples") -> dict[str, Tensor]:
    boxes, objects = torch.cat(examples.jittered_xyxy), torch.cat(examples.objects_xyxy)
    return {"iou": iou_net_loss(normalised, torch.cat(examples.class_ids), boxes, objects)}


_TRIALS = tuple(Trial(IoUNMS(), threshold) for threshold in SIX_THRESHOLDS)
# Ranked by DIR's IoU if there is no IoU-Net head.
IOU_NMS = Rival("iou_nms", IoUNMS(), _TRIALS)
# Ranked by the head that it was published with.
IOU_NET = Rival(
    "iou_net",
    IoUNMS(),
    _TRIALS,
    judge=Judge(IoUNetHead, _losses, lambda normalised, class_ids: {"ious": predicted_ious(normalised, class_ids)}),
    column=COLUMN,
    judgement=JUDGEMENT,
    needs=JUDGEMENT,
    title="IoU-Net",
    paper={"AP": 40.6, "AP50": 59.0},
    note="the paper's is trained twice as long",
)
