"""A hook by which another process lets a training go on, one whole iteration at a time."""

from multiprocessing.connection import Connection
from typing import Any

from mmengine.hooks import Hook

GO, STOP = "go", "stop"


class TurnHook(Hook):
    """Waits before each iteration, loading included, for a word from the other side; says the iteration's losses."""

    # After all others: their work is part of an iteration.
    priority = "LOWEST"

    def __init__(self, connection: Connection) -> None:
        """Takes this side's end."""
        self._connection = connection

    def before_train(self, runner: Any) -> None:  # noqa: ANN401, ARG002
        """Says that everything is built."""
        self._next({})

    def after_train_iter(
        self,
        runner: Any,  # noqa: ANN401, ARG002
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,  # noqa: ANN401, ARG002
        outputs: Any = None,  # noqa: ANN401
    ) -> None:
        """Says the losses by name, and waits."""
        self._next({name: float(value) for name, value in (outputs or {}).items() if "loss" in name})

    def _next(self, losses: dict[str, float]) -> None:
        self._connection.send(losses)
        try:
            word = self._connection.recv()
        except EOFError:
            word = STOP
        if word == STOP:
            raise SystemExit(0)
