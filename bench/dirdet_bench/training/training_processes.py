"""Whole trainings of the same detector, each in a process of its own, which take turns as another process decides."""

import importlib
import multiprocessing
import os
import random
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dirdet.errors import DirdetError
from dirdet_bench.training.detector_pair import DetectorPair
from dirdet_training.mm.configs import drop_pretrained
from dirdet_training.mm.memory import keep_freed_memory
from dirdet_training.mm.runner import train
from dirdet_training.mm.speed import alone

# Seconds that a training may take to be built or for one iteration.
ITERATION_S = 900
GO, STOP = "go", "stop"


class TrainingEndedError(DirdetError):
    """A training ended before its turns did."""


@dataclass(frozen=True)
class Way:
    """How a detector is trained: as `dirdet train` does, or, `stock`, by MMEngine's Runner alone.

    Attributes:
        with_dir: the detector with DIR, or the same without.
        memory: stock, but freed memory is kept.
        pooling: stock, but boxes are pooled over threads.
    """

    name: str
    stock: bool = False
    with_dir: bool = False
    memory: bool = False
    pooling: bool = False


class Training:
    """One training on the other end of a connection, and the losses of each iteration so far, by name."""

    def __init__(self, connection: Connection, process: Any, name: str) -> None:  # noqa: ANN401
        self._connection, self._process, self._name = connection, process, name
        self.losses: list[dict[str, float]] = []

    def wait_until_built(self) -> None:
        self._receive()

    def iterate(self) -> None:
        """One iteration: loading, step and hooks.

        Raises:
            TrainingEndedError: it has ended, or takes longer than `ITERATION_S`.
        """
        self._connection.send(GO)
        self.losses.append(self._receive())

    def end(self) -> None:
        with suppress(OSError):  # it may have ended by itself
            self._connection.send(STOP)
        self._connection.close()
        self._process.join(30)
        if self._process.is_alive():
            self._process.terminate()

    def _receive(self) -> dict[str, float]:
        try:
            if self._connection.poll(ITERATION_S):
                return self._connection.recv()
        except (EOFError, ConnectionResetError):
            pass
        raise TrainingEndedError(f"the training '{self._name}' ended or hangs; its own messages stand above")


@contextmanager
def trainings(pair: DetectorPair, ways: Sequence[Way]) -> Generator[dict[str, Training]]:
    """One training a way, all with the same weights, the same seed and the learning rate 0.

    An update takes its time, and the losses of any iteration can be compared.
    """
    weights = pair.weights()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        found: dict[str, Training] = {}
        for number, way in enumerate(ways):
            cfg, kept = alone(pair.cfg, weights, "dir" if way.with_dir else None)
            start = Path(folder) / f"{number}.pth"
            torch.save({"state_dict": kept}, start)
            _make_comparable(cfg, start)
            here, there = context.Pipe()
            process = context.Process(target=_run, args=(there, cfg, way))
            process.start()
            there.close()
            found[way.name] = Training(here, process, way.name)
            stack.callback(found[way.name].end)
        for training in found.values():
            training.wait_until_built()
        yield found


def _make_comparable(cfg: Config, start: Path) -> None:
    drop_pretrained(cfg.model)
    cfg.load_from, cfg.resume, cfg.work_dir, cfg.log_level = str(start), False, str(start.with_suffix("")), "ERROR"
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.randomness = {"seed": 0}
    for part in ("val", "test"):
        for key in ("dataloader", "cfg", "evaluator"):
            cfg.pop(f"{part}_{key}", None)


def _run(connection: Connection, cfg: Config, way: Way) -> None:
    """The process of a training."""
    # Standard output belongs to the parent's table.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # As in any training, loaders' workers are forked.
    multiprocessing.set_start_method("fork", force=True)
    TurnHook.connection = connection
    cfg.custom_hooks = [*cfg.get("custom_hooks", []), {"type": "TurnHook"}]
    if not way.stock:
        train(cfg, resume=False, amp=False, trust_checkpoint=False)
        return
    if not way.pooling:
        mmcvs = importlib.import_module("mmcv.ops.roi_align")
        vars(mmcvs)["roi_align"] = mmcvs.RoIAlignFunction.apply
    if way.memory:
        keep_freed_memory()
    Runner.from_cfg(cfg).train()


@HOOKS.register_module()
class TurnHook(Hook):
    """Sends the losses after each iteration, and waits for `GO` before the next, loading included.

    Attributes:
        connection: this process's; a config cannot hold one.
    """

    # After all others: their work is part of an iteration.
    priority = "LOWEST"
    connection: Connection
    _iteration = 0

    def before_train(self, runner: Any) -> None:  # noqa: ANN401, ARG002
        self._next({})

    def after_train_iter(
        self,
        runner: Any,  # noqa: ANN401, ARG002
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,  # noqa: ANN401, ARG002
        outputs: Any = None,  # noqa: ANN401
    ) -> None:
        self._next(
            {name: float(torch.as_tensor(value).detach()) for name, value in (outputs or {}).items() if "loss" in name}
        )

    def _next(self, losses: dict[str, float]) -> None:
        self.connection.send(losses)
        try:
            word = self.connection.recv()
        except EOFError:
            word = STOP
        if word == STOP:
            raise SystemExit(0)
        # Building a DIR head draws random numbers: without this, the samplers of both would draw others.
        self._iteration += 1
        random.seed(self._iteration)
        np.random.seed(self._iteration)  # noqa: NPY002 - what MMDetection's transforms draw from
        torch.manual_seed(self._iteration)
