"""The lane to an engine in another process, which batches requests itself."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import anyio

from dirdet.detector.detector import Detector, inferences_of
from dirdet.detector.options import Settings
from dirdet.engines.base import RemoteEngine
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.gateway.scheduling.concurrency import gather
from dirdet.gateway.scheduling.deadline import Deadline
from dirdet.gateway.scheduling.instrumentation import Observer
from dirdet.gateway.scheduling.readiness import Readiness
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.pictures.canvas import PlacedPicture


async def detect_remotely(
    engine: RemoteEngine, pictures: Sequence[PlacedPicture], settings: Settings, *, timeout_s: float
) -> list[Candidates]:
    """The engine's answer to each picture; all inferences are awaited at once, without a thread.

    Args:
        engine: in another process.
        pictures: on canvases of any of its sizes.
        settings: which detections are wanted.
        timeout_s: for all of them.

    Raises:
        DeadlineError: the engine did not answer in time.
        EngineError: the engine did not answer.
    """
    answers: dict[int, Candidates] = {}

    async def infer(members: Sequence[int]) -> None:
        batch = [pictures[index] for index in members]
        candidates = await engine.detect_within(CanvasBatch.of(batch, [settings] * len(batch)), timeout_s=timeout_s)
        answers.update({index: candidates.row(position) for position, index in enumerate(members)})

    await gather([partial(infer, members) for members in inferences_of(pictures)])
    return [answers[index] for index in range(len(pictures))]


class RemoteLane:
    """A `Lane` with a limit on concurrent requests to the other process."""

    one_by_one = False
    busy_s = 0.0  # every inference has its own deadline

    def __init__(
        self, detector: Detector, engine: RemoteEngine, limits: ServerLimits, readiness: Readiness, observer: Observer
    ) -> None:
        """Asks nothing yet.

        Args:
            detector: whose engine is in another process.
            engine: that engine.
            limits: of concurrent requests.
            readiness: records how each request ends.
            observer: measures each request.
        """
        self._detector = detector
        self._engine = engine
        self._readiness = readiness
        self._observer = observer
        self._asking = anyio.Semaphore(limits.inferences, fast_acquire=True)

    def coming(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def detect(
        self, pictures: Sequence[PlacedPicture], settings: Settings, deadline: Deadline
    ) -> list[Candidates]:
        """The answers of the other process, within the limit on concurrent requests."""
        name, waiting_s = self._detector.manifest.name, time.monotonic()
        async with self._asking:
            deadline.check("while it waited for the detector")  # the wait can end at the deadline itself
            begun_s = time.monotonic()
            self._observer.stage_ended("queue", begun_s - waiting_s, detector=name)
            try:
                answers = await detect_remotely(self._engine, pictures, settings, timeout_s=deadline.left_s)
            except Exception as exc:
                self._readiness.failed(exc)
                raise
        self._readiness.proven = True
        self._observer.stage_ended("infer", time.monotonic() - begun_s, detector=name)
        return answers

    def close(self) -> None: ...
