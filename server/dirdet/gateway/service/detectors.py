"""The served detectors by name, each with the lane to its engine; each can be replaced at any time."""

import threading
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Self

import anyio
from anyio import to_thread

from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.base import RemoteEngine
from dirdet.errors import EngineError, NotReadyError, UnknownDetectorError
from dirdet.gateway.scheduling.deadline import Deadline
from dirdet.gateway.scheduling.embedded_lane import CLOSE_S, EmbeddedLane, Inferences
from dirdet.gateway.scheduling.instrumentation import SILENT, Observer
from dirdet.gateway.scheduling.lane import Lane
from dirdet.gateway.scheduling.readiness import Readiness
from dirdet.gateway.scheduling.remote_lane import RemoteLane
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.garbage import keep_what_is_loaded

# Seconds that a health check waits for its probe.
PROBE_S = 2.0
# Batches of pictures decoded ahead of the engine: enough to keep it busy, few enough to bound the canvases in memory
# and the work for clients that disconnect.
BATCHES_AHEAD = 4


class ServedDetector:
    """A detector that serves many requests at once.

    Attributes:
        name: of the detector, in requests.
        detector: the detector.
        lane: to its engine.
        readiness: whether it answers now.
        ahead: limits the pictures between decoding and answer, where the lane takes pictures one by one.
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
        """Takes over a loaded detector, and closes its engine at the end.

        Args:
            detector: a loaded one.
            limits: of batches, and of requests to another process.
            observer: measures each batch.
            inferences: the threads for an engine in this process; threads of its own unless given.
        """
        self.name = detector.manifest.name
        self.detector = detector
        self.readiness = Readiness(self._probe)
        self.ahead = anyio.Semaphore(BATCHES_AHEAD * limits.max_batch, fast_acquire=True)
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

    def warm_up(self) -> None:
        """Detects once on every canvas; does nothing for an engine in another process, which a probe will check.

        Raises:
            EngineError: a detection fails.
        """
        if not isinstance(self.detector.engine, RemoteEngine):
            self.detector.warm_up()
            self.readiness.proven = True

    async def warm_up_in_turn(self) -> None:
        """Detects once on every canvas, in batches among those of other detectors.

        Raises:
            EngineError: a detection fails.
        """
        settings = self.detector.settle(DetectOptions())
        for blank in self.detector.blanks():
            await self.lane.detect([blank], settings, Deadline.after(self._limits.max_timeout_s))

    async def check_ready(self) -> None:
        """Returns if a picture sent now would be answered.

        Raises:
            EngineError: it would not be answered.
        """
        if not await to_thread.run_sync(self.detector.engine.ready):
            raise EngineError("the engine is not ready")
        busy_s = self.lane.busy_s
        if busy_s > self._limits.max_timeout_s:
            raise EngineError(f"the engine has been at one inference for {busy_s:.0f} s")
        await self.readiness.check()

    @contextmanager
    def held(self) -> Generator[Self]:
        """Keeps the detector open until the end of the block, except when the server closes; for one event loop."""
        self._holders += 1
        try:
            yield self
        finally:
            self._holders -= 1
            self._close_unused()

    def retire(self) -> None:
        """Closes the detector after its last request, as it was replaced."""
        self._retired = True
        self._close_unused()

    def close(self) -> None:
        """Closes the lane and the engine; waiting requests get an error."""
        if self.closed:
            return
        self.closed = True
        self.lane.close()
        if self._own is not None:
            self._own.close(within_s=CLOSE_S)
        self.detector.engine.close()

    def _close_unused(self) -> None:
        if self._retired and not self._holders and not self.closed:
            # An engine may take seconds to close.
            threading.Thread(target=self.close, name="retire", daemon=True).start()

    async def _probe(self) -> None:
        """Detects on an empty canvas of the smallest size, in a batch like a picture."""
        deadline = Deadline.after(min(PROBE_S, self._limits.timeout_s))
        with anyio.move_on_after(deadline.left_s):
            await self.lane.detect([self.detector.blanks()[0]], self.detector.settle(DetectOptions()), deadline)
            return
        raise EngineError("a detection on an empty picture was not answered in time")


class Detectors:
    """The served detectors by name, the default one first; for one event loop once they are loaded."""

    def __init__(self) -> None:
        self._by_name: dict[str, ServedDetector] = {}
        self._retired: list[ServedDetector] = []

    def serve(self, detectors: Sequence[ServedDetector]) -> None:
        """Serves these detectors from now on, in place of those of the same names.

        A replaced detector is closed after its last request.
        """
        before = self._by_name
        self._by_name = before | {each.name: each for each in detectors}  # in one assignment, for concurrent readers
        self._retired = [each for each in self._retired if not each.closed]
        for each in detectors:
            if each.name in before:
                self._retired.append(before[each.name])
                before[each.name].retire()
        keep_what_is_loaded()

    @property
    def names(self) -> list[str]:
        """All names, the default one first; empty while the detectors are loaded."""
        return list(self._by_name)

    def named(self, name: str | None = None) -> ServedDetector:
        """The detector served under a name, or the default one.

        Raises:
            NotReadyError: the detectors are not loaded yet.
            UnknownDetectorError: there is no such name; lists the existing ones.
        """
        if not self._by_name:
            raise NotReadyError("the detector is still being loaded")
        if name is None:
            return next(iter(self._by_name.values()))
        if name not in self._by_name:
            raise UnknownDetectorError(f"there is no detector {name!r}; there is {', '.join(map(repr, self._by_name))}")
        return self._by_name[name]

    def held(self, name: str | None = None) -> AbstractContextManager[ServedDetector]:
        """As `named`, for a block in which the detector stays open even if it is replaced."""
        return self.named(name).held()

    async def check_ready(self) -> None:
        """Returns if every detector would answer a picture sent now.

        Raises:
            NotReadyError: the detectors are not loaded yet.
            EngineError: a detector would not answer; named where there are several.
        """
        self.named()
        for each in self.names:
            with self.held(each) as served:
                try:
                    await served.check_ready()
                except EngineError as exc:
                    if len(self._by_name) == 1:
                        raise
                    raise EngineError(f"{each}: {exc}") from exc

    @property
    def busy(self) -> bool:
        """Whether any engine computes, even if the client is gone."""
        return any(each.lane.busy_s > 0 for each in [*self._by_name.values(), *self._retired])

    def close(self) -> None:
        """Ends everything; nothing is answered any more."""
        for each in [*self._by_name.values(), *self._retired]:
            each.close()
