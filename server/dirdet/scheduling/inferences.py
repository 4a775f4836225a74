"""The threads in which the engines of this process compute: the same for all, so that none takes another's cores."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dirdet.limits import ServerLimits
from dirdet.observing import SILENT, Observer
from dirdet.scheduling.scheduler import BatchScheduler
from dirdet.tensors import CanvasBatch, Row

# Seconds that a batch under way has to end when everything is closed.
CLOSE_S = 0.5
# Beside the pictures that were admitted: a probe of each detector, and what is warmed up or compared.
BESIDE = 64


class Computes(Hashable, Protocol):
    """Whose engine computes a batch; equal to itself alone."""

    @property
    def name(self) -> str:
        """Of the detector."""
        ...

    def compute(self, canvas_hw: tuple[int, int], wanted: Sequence[CanvasBatch]) -> list[Row]:
        """One inference, in one of the threads."""
        ...


@dataclass(frozen=True, slots=True)
class Bucket:
    """What the canvases of one inference have in common."""

    owner: Computes
    canvas_hw: tuple[int, int]
    nms_iou_threshold: float


class Inferences(BatchScheduler[Bucket, CanvasBatch, Row]):
    """Of several detectors' batches goes the one whose first picture came first; each has all the cores meanwhile."""

    def __init__(self, limits: ServerLimits, observer: Observer = SILENT) -> None:
        """Starts the threads."""
        super().__init__(
            lambda bucket, wanted: bucket.owner.compute(bucket.canvas_hw, wanted),
            max_batch=limits.max_batch,
            max_delay_s=limits.max_batch_delay_s,
            bound=limits.max_queue + BESIDE,
            threads=limits.inferences,
            waited=lambda bucket, seconds: observer.stage_ended("queue", seconds, detector=bucket.owner.name),
        )
