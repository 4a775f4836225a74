"""NMS regret: the best IoU in each cluster minus the kept box's."""

import numpy as np

from dirdet.quality.arrays import Bools, Floats, Ints
from dirdet.quality.overlap import overlaps


def cluster_regrets(
    boxes_xyxy: Floats,
    class_id: Ints,
    rank: Floats,
    kept: Bools,
    objects_xyxy: Floats,
    *,
    nms_iou_threshold: float,
    min_iou: float = 0.5,
) -> Floats:
    """NMS regret of the clusters of one picture that have a good box of an object.

    A kept box's cluster is itself and the boxes of its class that it overlaps by more than the threshold and that no
    kept box of higher rank overlaps so. Its object is the one that the kept box overlaps most.

    Args:
        boxes_xyxy: [N, 4], candidates before NMS, pixels.
        class_id: [N].
        rank: [N], the value by which NMS ranked.
        kept: [N], which survived.
        objects_xyxy: [G, 4], without crowds.
        nms_iou_threshold: of the NMS.
        min_iou: a cluster counts if its best box has at least this IoU with the object.

    Returns:
        [C] in 0..1, highest-ranked cluster first; 0 if NMS kept the best box.
    """
    if not len(objects_xyxy):
        return np.zeros(0)
    with_objects = overlaps(boxes_xyxy, objects_xyxy).iou  # [N, G]
    waiting = ~kept
    regrets: list[float] = []
    for index in [each for each in np.argsort(-rank, kind="stable") if kept[each]]:
        near = overlaps(boxes_xyxy[index : index + 1], boxes_xyxy).iou[0] > nms_iou_threshold  # [N]
        cluster = waiting & near & (class_id == class_id[index])
        waiting &= ~cluster
        cluster[index] = True
        ious = with_objects[:, np.argmax(with_objects[index])]  # [N]
        best = float(ious[cluster].max())
        if best >= min_iou:
            regrets.append(best - float(ious[index]))
    return np.asarray(regrets, np.float64)
