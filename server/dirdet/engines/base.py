"""The engine interface: all that the rest of dirdet knows of what computes."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from dirdet.tensors import Candidates, CanvasBatch


class Engine(Protocol):
    """Turns canvases into candidates; safe to call from several threads."""

    @property
    def description(self) -> str:
        """What computes and on what, in a few words for people."""
        ...

    def detect(self, batch: CanvasBatch) -> Candidates:
        """Detects on canvases of one size.

        Raises:
            EngineError: the engine did not answer.
        """
        ...

    def ready(self) -> bool:
        """Whether `detect` would answer now."""
        ...

    def close(self) -> None:
        """Frees what the engine holds; it is not used afterwards."""
        ...


@runtime_checkable
class DividedEngine(Engine, Protocol):
    """An engine that can compute several batches at once, each on its share of the cores.

    Together they are faster than one after another, and each of them is slower.
    """

    @property
    def at_once(self) -> int:
        """How many; 1 where it has only `detect`."""
        ...

    def detect_beside(self, batch: CanvasBatch) -> Candidates:
        """As `detect`, beside others.

        Raises:
            EngineError: the engine did not answer.
        """
        ...


def at_once(engine: Engine) -> int:
    """How many batches an engine can compute beside each other."""
    return engine.at_once if isinstance(engine, DividedEngine) else 1


def beside(engine: Engine) -> Callable[[CanvasBatch], Candidates]:
    """What computes a batch beside others, as many as `at_once` says."""
    return engine.detect_beside if isinstance(engine, DividedEngine) else engine.detect


@runtime_checkable
class RemoteEngine(Engine, Protocol):
    """An engine in another process: many wait for it at once, none in a thread, and who stops waiting stops it."""

    async def detect_within(self, batch: CanvasBatch, *, timeout_s: float) -> Candidates:
        """Detects on canvases of one size; cancelled, it tells the other process so.

        Raises:
            DeadlineError: there was no answer in time.
            EngineError: the engine did not answer.
        """
        ...


@runtime_checkable
class ControlledEngine(RemoteEngine, Protocol):
    """An engine whose process can be told to read its models again."""

    async def load_models(self) -> None:
        """Has the other process load the models of this engine's bundle, unless it does not let itself be told.

        Raises:
            EngineError: it did not succeed, or has another bundle's network then.
        """
        ...
