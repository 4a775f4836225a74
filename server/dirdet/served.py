"""A detector at work: with it the lane to its engine, and what knows whether it answers. One object, to be replaced."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Self

import anyio
from anyio import to_thread

from dirdet.deadline import Deadline
from dirdet.detector import Detector
from dirdet.engines.base import RemoteEngine
from dirdet.errors import EngineError
from dirdet.limits import ServerLimits
from dirdet.observing import SILENT, Observer
from dirdet.options import DetectOptions
from dirdet.readiness import Readiness
from dirdet.scheduling.embedded import EmbeddedLane
from dirdet.scheduling.inferences import CLOSE_S, Inferences
from dirdet.scheduling.lane import Lane
from dirdet.scheduling.remote import RemoteLane

# Seconds that a health check waits for a probe.
PROBE_S = 2.0
# Pictures that are decoded ahead of the engine, in batches: enough to keep it busy, few enough to bound the canvases in
# memory and the work that is done for callers who go away.
BATCHES_AHEAD = 4


class ServedDetector:
    """Detects for many requests at once.

    Attributes:
        detector: the detector.
        lane: the way to its engine.
        readiness: whether it answers now.
        ahead: to be held by a picture from its decoding to its answer, where the lane takes pictures one by one.
        closed: whether its engine is closed.
    """

    def __init__(
        self,
        detector: Detector,
        limits: ServerLimits,
        observer: Observer = SILENT,
        *,
        inferences: Inferences | None = None,
    ) -> None:
        """Takes a detector that is loaded, and closes its engine at the end.

        Args:
            detector: is loaded.
            limits: of batches, and of what waits for another process.
            observer: is told of each batch.
            inferences: where an engine in this process computes, in turn with others; in threads of its own unless
                given.
        """
        self.detector = detector
        self.readiness = Readiness(self._probe)
        self.ahead = anyio.CapacityLimiter(BATCHES_AHEAD * limits.max_batch)
        self.closed = False
        self._limits = limits
        self._holders = 0
        self._retired = False
        self._own: Inferences | None = None
        engine = detector.engine
        self.lane: Lane
        if isinstance(engine, RemoteEngine):
            self.lane = RemoteLane(detector, engine, limits, self.readiness, observer)
        else:
            if inferences is None:
                self._own = inferences = Inferences(limits, observer)
            self.lane = EmbeddedLane(detector, inferences, self.readiness, observer)

    @property
    def name(self) -> str:
        """What it is served as."""
        return self.detector.manifest.name

    def warm_up(self) -> None:
        """Detects once on every canvas; an engine in another process is not waited for, and proves itself when asked.

        Raises:
            EngineError: that does not succeed.
        """
        if not isinstance(self.detector.engine, RemoteEngine):
            self.detector.warm_up()
            self.readiness.succeeded()

    async def warm_up_in_turn(self) -> None:
        """Detects once on every canvas, in turn with the pictures of other detectors.

        Raises:
            EngineError: that does not succeed.
        """
        settings = self.detector.settle(DetectOptions())
        for blank in self.detector.blanks():
            await self.lane.detect([blank], settings, Deadline.after(self._limits.max_timeout_s))

    async def check_ready(self) -> None:
        """Returns if a picture that is sent now would be answered.

        Raises:
            EngineError: it would not.
        """
        if not await to_thread.run_sync(self.detector.engine.ready):
            raise EngineError("the engine is not ready")
        busy_s = self.lane.busy_s
        if busy_s > self._limits.max_timeout_s:
            raise EngineError(f"the engine has been at one inference for {busy_s:.0f} s")
        await self.readiness.check()

    @contextmanager
    def held(self) -> Generator[Self]:
        """It is not closed before the end of the block, unless everything is; for one event loop."""
        self._holders += 1
        try:
            yield self
        finally:
            self._holders -= 1
            self._close_unused()

    def retire(self) -> None:
        """Another has taken its place: closes it after its last request."""
        self._retired = True
        self._close_unused()

    def close(self) -> None:
        """Ends its threads and the engine; who still waits is told so."""
        if self.closed:
            return
        self.closed = True
        self.lane.close()
        if self._own is not None:
            self._own.close(within_s=CLOSE_S)
        self.detector.engine.close()

    def _close_unused(self) -> None:
        if self._retired and not self._holders and not self.closed:
            # An engine may take seconds to let go of what it holds.
            threading.Thread(target=self.close, name="retire", daemon=True).start()

    async def _probe(self) -> None:
        """Detects on an empty canvas of the smallest size, in its turn among the pictures."""
        deadline = Deadline.after(min(PROBE_S, self._limits.timeout_s))
        with anyio.move_on_after(deadline.left_s):
            await self.lane.detect([self.detector.blanks()[0]], self.detector.settle(DetectOptions()), deadline)
            return
        raise EngineError("a detection on an empty picture was not answered in time")
