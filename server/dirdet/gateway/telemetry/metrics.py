"""The gateway's Prometheus metrics, by OpenTelemetry's names where it has one."""

from collections.abc import Sequence
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

from dirdet.detection import Detection

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration
REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
TENTHS = tuple(tenth / 10 for tenth in range(1, 11))


class Metrics:
    """Every metric of one gateway, as an `Observer`; safe to call from any thread."""

    def __init__(self, *, shared: Path | None = None) -> None:
        """Starts with all metrics at zero, independent of other instances.

        Args:
            shared: folder of the figures of several processes, to which prometheus_client was set to write them
                before this process was forked; None where this process counts alone.
        """
        self._registry = CollectorRegistry()
        self._shared = shared
        registry = self._registry
        if shared is None:
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
            "dirdet_shed", "Requests refused for lack of room, by what was short.", ("reason",), registry=registry
        )
        self._stage_s = Histogram(
            "dirdet_stage_duration_seconds", "Time of each stage of a picture or request.",
            ("detector", "stage"), buckets=STAGE_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._stage_cpu_s = Counter(
            "dirdet_stage_cpu_seconds", "Processor time of each stage, in this process's own threads.",
            ("detector", "stage"), registry=registry,
        )  # fmt: skip
        inference = ("detector", "canvas")
        self._batch = Histogram(
            "dirdet_batch_size", "Canvases of one inference.", inference, buckets=BATCH_BUCKETS, registry=registry
        )
        self._failed = Counter("dirdet_batch_failures", "Inferences that failed.", inference, registry=registry)
        self._keys = Counter(
            "dirdet_key_requests", "Requests by the name of their key.", ("key", "http_response_status_code"),
            registry=registry,
        )  # fmt: skip
        served = ("detector", "label")
        self._score = Histogram(
            "dirdet_served_score", "Scores of the detections that were answered.",
            served, buckets=TENTHS, registry=registry,
        )  # fmt: skip
        self._iou = Histogram(
            "dirdet_served_iou", "Predicted iou of the detections that were answered.",
            served, buckets=TENTHS, registry=registry,
        )  # fmt: skip

    def request_began(self) -> None:
        self._active.inc()

    def request_ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """It was answered, or its client closed the connection (499)."""
        self._active.dec()
        self._request_s.labels(method, route, str(status)).observe(seconds)

    def key_used(self, name: str, status: int) -> None:
        self._keys.labels(name, str(status)).inc()

    def served(self, detector: str, detections: Sequence[Detection]) -> None:
        for found in detections:
            self._score.labels(detector, found.label).observe(found.score)
            if found.iou is not None:
                self._iou.labels(detector, found.label).observe(found.iou)

    def queue_changed(self, pictures: int, body_bytes: int) -> None:
        self._queue.set(pictures)
        self._queue_bytes.set(body_bytes)

    def shed(self, reason: str) -> None:
        self._shed.labels(reason).inc()

    def stage_ended(self, stage: str, seconds: float, *, cpu_s: float = 0.0, detector: str) -> None:
        self._stage_s.labels(detector, stage).observe(seconds)
        if cpu_s:
            self._stage_cpu_s.labels(detector, stage).inc(cpu_s)

    def batch_ended(self, canvas_hw: tuple[int, int], size: int, *, detector: str, failed: bool) -> None:
        canvas = f"{canvas_hw[0]}x{canvas_hw[1]}"
        self._batch.labels(detector, canvas).observe(size)
        if failed:
            self._failed.labels(detector, canvas).inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format (`MEDIA_TYPE`), summed over the processes that share the work."""
        if self._shared is None:
            return generate_latest(self._registry)
        everything = CollectorRegistry()
        multiprocess.MultiProcessCollector(everything, path=str(self._shared))
        return generate_latest(everything)
