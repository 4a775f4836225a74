"""The lane to an engine in another process, which joins what it is asked by itself."""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import anyio

from dirdet.deadline import Deadline
from dirdet.detector import Detector, PlacedPicture
from dirdet.engines.base import RemoteEngine
from dirdet.limits import ServerLimits
from dirdet.observing import Observer
from dirdet.options import Settings
from dirdet.readiness import Readiness
from dirdet.tensors import Candidates, CanvasBatch, Row

T = TypeVar("T")


class RemoteLane:
    """See `dirdet.scheduling.lane.Lane`; a bounded number of requests waits for the other process at once."""

    one_by_one = False
    busy_s = 0.0  # every inference has its own deadline

    def __init__(
        self, detector: Detector, engine: RemoteEngine, limits: ServerLimits, readiness: Readiness, observer: Observer
    ) -> None:
        """Asks nothing yet.

        Args:
            detector: whose engine is in another process.
            engine: that engine.
            limits: how many requests ask it at once.
            readiness: is told how each request ends.
            observer: is told of each request.
        """
        self._detector = detector
        self._engine = engine
        self._readiness = readiness
        self._observer = observer
        self._places = limits.inferences
        self._asking = anyio.CapacityLimiter(limits.inferences)

    @property
    def has_room(self) -> bool:
        """See `Lane.has_room`; half of the places are for bursts."""
        return self._asking.borrowed_tokens <= self._places / 2

    def coming(self) -> AbstractContextManager[None]:
        """See `Lane.coming`."""
        return nullcontext()

    async def detect(self, pictures: Sequence[PlacedPicture], settings: Settings, deadline: Deadline) -> list[Row]:
        """See `Lane.detect`."""

        async def ask() -> list[Row]:
            return await self._detector.detect_remotely(self._engine, pictures, settings, timeout_s=deadline.left_s)

        return await self._asked(ask, deadline)

    async def infer(self, batch: CanvasBatch, deadline: Deadline) -> Candidates:
        """See `Lane.infer`."""

        async def ask() -> Candidates:
            return await self._engine.detect_within(batch, timeout_s=deadline.left_s)

        return await self._asked(ask, deadline)

    async def _asked(self, ask: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """What the other process answers, when there is a place."""
        name, waiting_s = self._detector.manifest.name, time.monotonic()
        async with self._asking:
            deadline.check("while it waited for the detector")  # a place can become free at the deadline itself
            begun_s = time.monotonic()
            self._observer.stage_ended("queue", begun_s - waiting_s, detector=name)
            try:
                found = await ask()
            except Exception as exc:
                self._readiness.failed(exc)
                raise
        self._readiness.succeeded()
        self._observer.stage_ended("infer", time.monotonic() - begun_s, detector=name)
        return found

    def close(self) -> None:
        """See `Lane.close`; nothing waits beyond its deadline."""
