"""Prometheus metrics of candidates beside the detectors that are served."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from dirdet.shadow.comparison import Comparison
from dirdet.shadow.pair import Pair

# Finer where two trainings of one detector differ.
DIFFERENCE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
DISPLACEMENT_BUCKETS_PX = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


class ShadowMetrics:
    """Safe to call from any thread; see the methods of `dirdet.observing.Observer` with these names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Without a candidate there is no series."""
        pair = ("detector", "candidate")
        self._compared = Counter(
            "dirdet_shadow_compared", "Pictures that the candidate computed too.", pair, registry=registry
        )
        self._dropped = Counter(
            "dirdet_shadow_dropped", "Pictures that the candidate had no room for, by what was short.",
            (*pair, "reason"), registry=registry,
        )  # fmt: skip
        self._failed = Counter(
            "dirdet_shadow_failed", "Pictures that the candidate could not compute.", pair, registry=registry
        )
        self._detections = Counter(
            "dirdet_shadow_detections", "Detections of compared pictures: found by both, served or candidate alone.",
            (*pair, "label", "found_by"), registry=registry,
        )  # fmt: skip
        self._score = Histogram(
            "dirdet_shadow_score_difference", "Of a detection found by both: |score - score|.",
            pair, buckets=DIFFERENCE_BUCKETS, registry=registry,
        )  # fmt: skip
        self._iou = Histogram(
            "dirdet_shadow_iou_difference", "Of a detection found by both: |iou - iou|, as predicted.",
            pair, buckets=DIFFERENCE_BUCKETS, registry=registry,
        )  # fmt: skip
        self._moved_px = Histogram(
            "dirdet_shadow_displacement_pixels", "Of a detection found by both: of its sides, the one that moved most.",
            pair, buckets=DISPLACEMENT_BUCKETS_PX, registry=registry,
        )  # fmt: skip

    def began(self, pair: Pair) -> None:
        """All figures are zero, rather than absent."""
        for each in (self._compared, self._failed, self._score, self._iou, self._moved_px):
            each.labels(pair.detector, pair.candidate)
        for reason in ("queue", "memory"):
            self._dropped.labels(pair.detector, pair.candidate, reason)

    def compared(self, pair: Pair, found: Comparison) -> None:
        """A picture."""
        names = pair.detector, pair.candidate
        self._compared.labels(*names).inc()
        for found_by, counts in (
            ("both", found.both),
            ("served", found.only_served),
            ("candidate", found.only_candidate),
        ):
            for label, number in counts.items():
                self._detections.labels(*names, label, found_by).inc(number)
        for histogram, values in (
            (self._score, found.score_differences),
            (self._iou, found.iou_differences),
            (self._moved_px, found.displacements_px),
        ):
            for value in values:
                histogram.labels(*names).observe(value)

    def dropped(self, pair: Pair, reason: str) -> None:
        """A picture."""
        self._dropped.labels(pair.detector, pair.candidate, reason).inc()

    def failed(self, pair: Pair) -> None:
        """A picture."""
        self._failed.labels(pair.detector, pair.candidate).inc()
