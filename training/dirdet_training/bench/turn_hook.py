"""A hook by which another process lets a training go on, one whole iteration at a time."""

import random
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

GO, STOP = "go", "stop"

# A config that names the hook can hold no connection.
_ends: list[Connection] = []


def listen(connection: Connection) -> None:
    """Gives this process's hook its end of a connection; before training is built."""
    _ends[:] = [connection]


@HOOKS.register_module()
class TurnHook(Hook):
    """Waits before each iteration, loading included, for a word from the other side; says the iteration's losses."""

    # After all others: their work is part of an iteration.
    priority = "LOWEST"
    _iteration = 0

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
        self._next(
            {name: float(torch.as_tensor(value).detach()) for name, value in (outputs or {}).items() if "loss" in name}
        )

    def _next(self, losses: dict[str, float]) -> None:
        [connection] = _ends
        connection.send(losses)
        try:
            word = connection.recv()
        except EOFError:
            word = STOP
        if word == STOP:
            raise SystemExit(0)
        # To build a DIR head takes random numbers: without this, samplers would draw others than without it.
        self._iteration += 1
        random.seed(self._iteration)
        np.random.seed(self._iteration)  # noqa: NPY002 - what MMDetection's transforms draw from
        torch.manual_seed(self._iteration)
