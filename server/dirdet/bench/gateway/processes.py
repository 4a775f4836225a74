"""Servers as processes: started, awaited, their CPU time read, stopped with all that they started."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from dirdet.errors import EngineError

START_S = 90
STOP_S = 10


@dataclass(frozen=True)
class Running:
    """A server that listens.

    Attributes:
        process: the one that was started; the others are its children.
        port: where it listens on 127.0.0.1.
    """

    process: psutil.Process
    port: int

    def cpu_seconds(self) -> float:
        """Of the server and of all its processes that still run."""
        total = 0.0
        for each in [self.process, *self.process.children(recursive=True)]:
            try:
                times = each.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total


@contextmanager
def running(
    name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, answers: Callable[[int], bool]
) -> Generator[Running]:
    """A server for the block; BENCH_PORT tells it its port.

    Args:
        name: for errors.
        command: starts it.
        environment: beside this process's.
        folder: where it runs, and where its log is.
        answers: whether the server at a port answers a picture; a port may be open long before that.

    Raises:
        EngineError: it ends, or does not answer in time; the end of its log is told.
    """
    port = free_port()
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment, "BENCH_PORT": str(port)},
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + START_S
        while not answers(port):
            if process.poll() is not None or time.monotonic() > until:
                last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
                raise EngineError(f"{name} did not start: {' | '.join(last) or 'it said nothing'}")
            time.sleep(0.1)
        yield Running(psutil.Process(process.pid), port)
    finally:
        _stop(process)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server's own session: nothing else is in it."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
