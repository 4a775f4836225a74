"""Hard NMS on the CPU, with the survivor that suppresses each box; ranked and IoU-guided NMS use it."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dirdet_training.nms.inputs import class_ends


class Suppressed(NamedTuple):
    """The result of greedy NMS per class on N boxes.

    Attributes:
        owners: [N], index of the survivor that suppresses each box; for a survivor, its own index.
        survivors: [K], highest rank first; of equal ranks the lower index is first.
    """

    owners: NDArray[np.int64]
    survivors: NDArray[np.int64]


def suppressed(boxes_xyxy: Tensor, ranks: Tensor, class_ids: Tensor, *, iou_threshold: float) -> Suppressed:
    """Applies greedy NMS per class.

    Args:
        boxes_xyxy: [N, 4], pixels; on any device.
        ranks: [N], real numbers; of equal ranks the first box is taken first.
        class_ids: [N], integers; boxes of different classes do not affect each other.
        iou_threshold: in [0, 1]; a box is suppressed by one that it overlaps with an IoU above this.
    """
    # Compiling takes one second, once on each machine, and loading Numba takes half a second.
    from dirdet_training.nms import hard_kernel

    ranked = ranks.detach().to("cpu", torch.float32).numpy()
    classes = class_ids.detach().cpu().numpy()
    order = np.lexsort((-ranked, classes))  # [N], class by class, best first
    ends = class_ends(classes[order])  # [classes]
    corners = boxes_xyxy.detach().to("cpu", torch.float32).numpy().T.take(order, axis=1)  # [4, N]
    # IoUs are float32: an IoU is above the threshold if it is above the greatest float32 that is at most the threshold.
    threshold = np.float32(iou_threshold)
    if threshold > iou_threshold:
        threshold = np.nextafter(threshold, np.float32(-1))
    owners = np.empty_like(order)
    owners[order] = order[hard_kernel.suppress(corners, ends, threshold)]
    survivors = np.flatnonzero(owners == np.arange(len(owners)))
    return Suppressed(owners, survivors[np.argsort(-ranked[survivors], kind="stable")])
