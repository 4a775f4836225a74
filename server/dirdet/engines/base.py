"""The interface of engines."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from dirdet.engines.tensors import Candidates, CanvasBatch


class Engine(Protocol):
    """Computes candidates of canvases; safe to call from several threads."""

    @property
    def description(self) -> str:
        """The runtime and its device, as a short text."""
        ...

    def detect(self, batch: CanvasBatch) -> Candidates:
        """Detects on canvases of one size.

        Raises:
            EngineError: the engine did not answer.
        """
        ...

    def ready(self) -> bool:
        """Whether `detect` can answer now."""
        ...

    def close(self) -> None:
        """Frees the engine's resources; it must not be used afterwards."""
        ...


@runtime_checkable
class DividedEngine(Engine, Protocol):
    """An engine that can compute several batches concurrently, each on its share of the cores.

    Concurrent batches take less time in total than consecutive ones, but each takes longer.
    """

    @property
    def at_once(self) -> int:
        """Number of concurrent batches; 1 if only `detect` is available."""
        ...

    def detect_beside(self, batch: CanvasBatch) -> Candidates:
        """As `detect`, concurrently with other calls.

        Raises:
            EngineError: the engine did not answer.
        """
        ...


def at_once(engine: Engine) -> int:
    """Number of batches that an engine can compute concurrently."""
    return engine.at_once if isinstance(engine, DividedEngine) else 1


def beside(engine: Engine) -> Callable[[CanvasBatch], Candidates]:
    """The function that computes a batch concurrently with others, at most `at_once`."""
    return engine.detect_beside if isinstance(engine, DividedEngine) else engine.detect


@runtime_checkable
class RemoteEngine(Engine, Protocol):
    """An engine in another process.

    Calls can wait concurrently without a thread each; a cancelled call is cancelled there too.
    """

    async def detect_within(self, batch: CanvasBatch, *, timeout_s: float) -> Candidates:
        """Detects on canvases of one size; a cancellation is passed to the other process.

        Raises:
            DeadlineError: there was no answer in time.
            EngineError: the engine did not answer.
        """
        ...


@runtime_checkable
class ControlledEngine(RemoteEngine, Protocol):
    """An engine whose process can be asked to reload its models."""

    async def load_models(self) -> None:
        """Asks the other process to load the models of this engine's bundle, if it accepts such a request.

        Raises:
            EngineError: loading failed, or the process then serves another bundle's network.
        """
        ...
