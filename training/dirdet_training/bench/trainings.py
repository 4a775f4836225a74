"""Whole trainings of the same detector, each in a process of its own, that take turns."""

import importlib
import multiprocessing
import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from dirdet.errors import DirdetError
from dirdet_training.bench.turn_hook import GO, STOP, listen
from dirdet_training.bench.twins import Twins
from dirdet_training.memory import keep_freed_memory
from dirdet_training.mm.configs import drop_pretrained
from dirdet_training.mm.running import train
from dirdet_training.mm.speed import alone

# Seconds that a training may take to be built or for one iteration.
PATIENCE_S = 900


class TrainingEndedError(DirdetError):
    """A training that ended before its turns did."""


@dataclass(frozen=True)
class Way:
    """How a detector is trained.

    Attributes:
        name: in tables.
        stock: by MMEngine's Runner alone, without what follows; else as `dirdet train` does.
        with_dir: the detector with DIR, or the same without.
        memory: stock, but freed memory is kept.
        pooling: stock, but boxes are pooled over threads.
        amp: automatic mixed precision.
    """

    name: str
    stock: bool = False
    with_dir: bool = False
    memory: bool = False
    pooling: bool = False
    amp: bool = False


class Training:
    """One training on the other end of a connection.

    Attributes:
        losses: of each iteration so far, by name.
    """

    def __init__(self, connection: Connection, process: Any, name: str) -> None:  # noqa: ANN401
        """Takes a process that has just started."""
        self._connection, self._process, self._name = connection, process, name
        self.losses: list[dict[str, float]] = []

    def ready(self) -> None:
        """Returns once everything is built; raises TrainingEndedError where it cannot be."""
        self._heard()

    def iterate(self) -> None:
        """One iteration: loading, step and hooks."""
        self._connection.send(GO)
        self.losses.append(self._heard())

    def end(self) -> None:
        """Ends the process."""
        with suppress(OSError):  # it may have ended by itself
            self._connection.send(STOP)
        self._connection.close()
        self._process.join(30)
        if self._process.is_alive():
            self._process.terminate()

    def _heard(self) -> dict[str, float]:
        try:
            if self._connection.poll(PATIENCE_S):
                return self._connection.recv()
        except (EOFError, ConnectionResetError):
            pass
        raise TrainingEndedError(f"the training '{self._name}' ended or hangs; its own words stand above")


@contextmanager
def trainings(both: Twins, ways: Sequence[Way]) -> Generator[dict[str, Training]]:
    """Starts one training a way, all from the same weights, with the same seed and the learning rate 0.

    An update costs what it costs, and the losses of an iteration can be compared, whichever iteration it is.
    """
    weights = both.weights()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        found: dict[str, Training] = {}
        for number, way in enumerate(ways):
            cfg, kept = alone(both.cfg, weights, "dir" if way.with_dir else None)
            start = Path(folder) / f"{number}.pth"
            torch.save({"state_dict": kept}, start)
            _prepare(cfg, start)
            here, there = context.Pipe()
            process = context.Process(target=_run, args=(there, cfg, way))
            process.start()
            there.close()
            found[way.name] = Training(here, process, way.name)
            stack.callback(found[way.name].end)
        for training in found.values():
            training.ready()
        yield found


def _prepare(cfg: Config, start: Path) -> None:
    """What makes trainings comparable."""
    drop_pretrained(cfg.model)
    cfg.load_from, cfg.resume, cfg.work_dir, cfg.log_level = str(start), False, str(start.with_suffix("")), "ERROR"
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.randomness = {"seed": 0}
    for part in ("val", "test"):
        for key in ("dataloader", "cfg", "evaluator"):
            cfg.pop(f"{part}_{key}", None)


def _run(connection: Connection, cfg: Config, way: Way) -> None:
    # Standard output belongs to the parent's table.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # Loaders' workers are forked, as in any training; only this process was not.
    multiprocessing.set_start_method("fork", force=True)
    listen(connection)
    cfg.custom_hooks = [*cfg.get("custom_hooks", []), {"type": "TurnHook"}]
    if not way.stock:
        train(cfg, resume=False, amp=way.amp, trust_checkpoint=False)
        return
    if not way.pooling:
        mmcvs = importlib.import_module("mmcv.ops.roi_align")
        vars(mmcvs)["roi_align"] = mmcvs.RoIAlignFunction.apply
    if way.memory:
        keep_freed_memory()
    Runner.from_cfg(cfg).train()
