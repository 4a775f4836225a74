"""Engines that try a batch in halves, once, where their device has no memory left for the whole."""

import asyncio
import logging
from collections.abc import Callable

from dirdet.engines.base import ControlledEngine, Engine, RemoteEngine, at_once, beside
from dirdet.errors import EngineMemoryError
from dirdet.tensors import Candidates, CanvasBatch
from dirdet.triton.python_models.memory import halves, whole_or_halves

log = logging.getLogger(__name__)


class HalvingEngine:
    """Passes batches to an engine; see `dirdet.engines.base.Engine`.

    Attributes:
        engine: the one behind it.
    """

    def __init__(self, engine: Engine) -> None:
        """Owns the engine from now on."""
        self.engine = engine

    @property
    def description(self) -> str:
        """Of the engine."""
        return self.engine.description

    def detect(self, batch: CanvasBatch) -> Candidates:
        """See `Engine.detect`.

        Raises:
            EngineMemoryError: there was no memory for one canvas, or for half of several.
            EngineError: the engine did not answer.
        """
        return _whole_or_halves(self.engine.detect, batch)

    @property
    def at_once(self) -> int:
        """See `DividedEngine.at_once`."""
        return at_once(self.engine)

    def detect_beside(self, batch: CanvasBatch) -> Candidates:
        """See `DividedEngine.detect_beside`; raises as `detect`."""
        return _whole_or_halves(beside(self.engine), batch)

    def ready(self) -> bool:
        """Of the engine."""
        return self.engine.ready()

    def close(self) -> None:
        """Closes the engine."""
        self.engine.close()


class HalvingRemoteEngine(HalvingEngine):
    """The same before an engine in another process; see `dirdet.engines.base.RemoteEngine`.

    Attributes:
        engine: the one behind it.
    """

    engine: RemoteEngine

    def __init__(self, engine: RemoteEngine) -> None:
        """Owns the engine from now on."""
        super().__init__(engine)

    async def load_models(self) -> None:
        """See `ControlledEngine.load_models`; nothing where the engine cannot be told."""
        if isinstance(self.engine, ControlledEngine):
            await self.engine.load_models()

    async def detect_within(self, batch: CanvasBatch, *, timeout_s: float) -> Candidates:
        """See `RemoteEngine.detect_within`; the halves, one after the other, share what is left of the time.

        Raises:
            DeadlineError: there was no answer in time.
            EngineMemoryError: there was no memory for one canvas, or for half of several.
            EngineError: the engine did not answer.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        try:
            return await self.engine.detect_within(batch, timeout_s=timeout_s)
        except EngineMemoryError:
            if len(batch.canvas) < 2:
                raise
        _tell(batch)
        return Candidates.joined(
            [
                await self.engine.detect_within(batch.part(rows), timeout_s=max(deadline - clock(), 0.0))
                for rows in halves(len(batch.canvas))
            ]
        )


def _whole_or_halves(detect: Callable[[CanvasBatch], Candidates], batch: CanvasBatch) -> Candidates:
    return Candidates.joined(
        whole_or_halves(
            lambda rows: detect(batch.part(rows)),
            len(batch.canvas),
            lacks=lambda exc: isinstance(exc, EngineMemoryError),
            free=lambda: _tell(batch),
        )
    )


def _tell(batch: CanvasBatch) -> None:
    size, height, width = batch.canvas.shape[:3]
    log.warning("no memory for %d canvases of %d x %d at once; trying them in halves", size, width, height)
