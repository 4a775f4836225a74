"""The threads in which the engines of this process compute: the same for all, so that none takes another's cores."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
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

    @property
    def divides(self) -> bool:
        """Whether `compute` may be called beside others."""
        ...

    def compute(self, canvas_hw: tuple[int, int], wanted: Sequence[CanvasBatch], *, beside: bool = False) -> list[Row]:
        """One inference, in one of the threads; beside others on its share of the cores, else on all."""
        ...


@dataclass(frozen=True, slots=True)
class Bucket:
    """What the canvases of one inference have in common."""

    owner: Computes
    canvas_hw: tuple[int, int]
    nms_iou_threshold: float


class Inferences(BatchScheduler[Bucket, CanvasBatch, Row]):
    """Of several detectors' batches goes the one whose first picture came first."""

    def __init__(self, limits: ServerLimits, observer: Observer = SILENT) -> None:
        """Starts the threads."""
        super().__init__(
            _compute,
            max_batch=limits.max_batch,
            max_delay_s=limits.max_batch_delay_s,
            bound=limits.max_queue + BESIDE,
            threads=limits.inferences,
            beside=lambda bucket: partial(_compute, beside=True) if bucket.owner.divides else None,
            waited=lambda bucket, seconds: observer.stage_ended("queue", seconds, detector=bucket.owner.name),
        )


def _compute(bucket: Bucket, wanted: Sequence[CanvasBatch], *, beside: bool = False) -> list[Row]:
    return bucket.owner.compute(bucket.canvas_hw, wanted, beside=beside)
