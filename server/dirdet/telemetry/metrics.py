"""The gateway's Prometheus metrics, by OpenTelemetry's names where it has one."""

import os
from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
    values,
)

from dirdet.detection import Detection
from dirdet.shadow.comparison import Comparison
from dirdet.shadow.pair import Pair
from dirdet.telemetry.shadow_metrics import ShadowMetrics

# Several processes keep their figures in files of this folder; prometheus_client looks it up there.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration
REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
TENTHS = tuple(tenth / 10 for tenth in range(1, 11))


class Metrics:
    """Every figure that one gateway keeps; safe to call from any thread. See `dirdet.observing.Observer`."""

    def __init__(self) -> None:
        """All figures are zero; each instance keeps its own."""
        self._registry = CollectorRegistry()
        registry = self._registry
        if not several_processes():
            ProcessCollector(registry=registry)
        request = ("http_request_method", "http_route", "http_response_status_code")
        self._request_s = Histogram(
            "http_server_request_duration_seconds", "From the first byte of a request to the last of its answer.",
            request, buckets=REQUEST_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._active = Gauge(
            "http_server_active_requests", "Requests under way.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._queue = Gauge(
            "dirdet_queue_depth", "Pictures that wait or are under way.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._queue_bytes = Gauge(
            "dirdet_queue_bytes", "Bytes of bodies that are held or announced.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._shed = Counter(
            "dirdet_shed", "Requests refused for want of room, by what was short.", ("reason",), registry=registry
        )
        self._stage_s = Histogram(
            "dirdet_stage_duration_seconds", "What a picture or request passes through.",
            ("detector", "stage"), buckets=STAGE_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._stage_cpu_s = Counter(
            "dirdet_stage_cpu_seconds", "Of the processor, by this process's own thread.",
            ("detector", "stage"), registry=registry,
        )  # fmt: skip
        inference = ("detector", "canvas")
        self._batch = Histogram(
            "dirdet_batch_size", "Canvases of one inference.", inference, buckets=BATCH_BUCKETS, registry=registry
        )
        self._failed = Counter("dirdet_batch_failures", "Inferences that failed.", inference, registry=registry)
        served = ("detector", "label")
        self._score = Histogram(
            "dirdet_served_score", "Scores of the detections that were answered.",
            served, buckets=TENTHS, registry=registry,
        )  # fmt: skip
        self._iou = Histogram(
            "dirdet_served_iou", "Predicted iou of the detections that were answered.",
            served, buckets=TENTHS, registry=registry,
        )  # fmt: skip
        self._shadow = ShadowMetrics(registry)

    def request_began(self) -> None:
        """A request came in."""
        self._active.inc()

    def request_ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """It was answered, or its client went away (499)."""
        self._active.dec()
        self._request_s.labels(method, route, str(status)).observe(seconds)

    def served(self, detector: str, detections: Sequence[Detection]) -> None:
        """See `Observer`."""
        for found in detections:
            self._score.labels(detector, found.label).observe(found.score)
            if found.iou is not None:
                self._iou.labels(detector, found.label).observe(found.iou)

    def queue_changed(self, pictures: int, body_bytes: int) -> None:
        """See `Observer`."""
        self._queue.set(pictures)
        self._queue_bytes.set(body_bytes)

    def shed(self, reason: str) -> None:
        """See `Observer`."""
        self._shed.labels(reason).inc()

    def stage_ended(self, stage: str, seconds: float, *, cpu_s: float = 0.0, detector: str) -> None:
        """See `Observer`."""
        self._stage_s.labels(detector, stage).observe(seconds)
        if cpu_s:
            self._stage_cpu_s.labels(detector, stage).inc(cpu_s)

    def batch_ended(self, canvas_hw: tuple[int, int], size: int, *, detector: str, failed: bool) -> None:
        """See `Observer`."""
        canvas = f"{canvas_hw[0]}x{canvas_hw[1]}"
        self._batch.labels(detector, canvas).observe(size)
        if failed:
            self._failed.labels(detector, canvas).inc()

    def shadow_began(self, pair: Pair) -> None:
        """See `Observer`."""
        self._shadow.began(pair)

    def shadow_compared(self, pair: Pair, found: Comparison) -> None:
        """See `Observer`."""
        self._shadow.compared(pair, found)

    def shadow_dropped(self, pair: Pair, reason: str) -> None:
        """See `Observer`."""
        self._shadow.dropped(pair, reason)

    def shadow_failed(self, pair: Pair) -> None:
        """See `Observer`."""
        self._shadow.failed(pair)

    def text(self) -> bytes:
        """Everything in Prometheus' text format, of `MEDIA_TYPE`; of all processes where several share the work."""
        if not several_processes():
            return generate_latest(self._registry)
        everything = CollectorRegistry()
        multiprocess.MultiProcessCollector(everything)
        return generate_latest(everything)


def several_processes() -> bool:
    """Whether the figures are those of several processes."""
    return SHARED_FOLDER in os.environ


def share_between_processes(folder: str) -> None:
    """From now on figures are kept for several processes; called in their parent, before it forks.

    Args:
        folder: an empty one that all of them may write to.
    """
    os.environ[SHARED_FOLDER] = folder
    # What prometheus_client does by itself where the environment says so before it is imported.
    values.ValueClass = values.MultiProcessValue()  # pyright: ignore[reportUnknownMemberType]


def worker_ended(pid: int) -> None:
    """What a worker had under way is under way no more; what it counted stays."""
    if several_processes():
        multiprocess.mark_process_dead(pid)  # pyright: ignore[reportUnknownMemberType]
