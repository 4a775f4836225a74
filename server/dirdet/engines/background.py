"""An engine in a child process that takes only what others leave of the cores; it may even die."""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from dirdet.bundle import Bundle, Manifest
from dirdet.errors import BundleError, EngineError
from dirdet.tensors import Candidates, CanvasBatch

log = logging.getLogger(__name__)

START_S = 300.0
# Seconds that an inference may take: it has the lowest priority, so that on a busy machine it may take long.
TIMEOUT_S = 300.0
# Seconds before a process that ended is replaced, so that one which ends at once does not keep the machine busy.
RESTART_S = 10.0
CHILD = "dirdet.engines.background_child"


@dataclass(frozen=True, slots=True)
class Started:
    """The other process has loaded the network.

    Attributes:
        description: of its engine.
        manifest: of the bundle that it found.
    """

    description: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Refused:
    """What the other process could not do.

    Attributes:
        message: why.
    """

    message: str


class BackgroundEngine:
    """ONNX Runtime in another process; see `dirdet.engines.base.Engine`.

    From `give_way` on that process has the lowest priority there is, and on Linux is the first to be ended where memory
    runs out. It has a Python of its own: a thread of low priority in this one could hold its lock while it waits for a
    core.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 0) -> None:
        """Starts the process, and waits until it has loaded the network.

        Args:
            bundle: has a detector.onnx.
            threads: of one inference; 0 is one per core that may be used.

        Raises:
            BundleError: the network cannot be loaded.
            EngineError: the process does not start.
        """
        self._folder = bundle.folder
        self._manifest = bundle.manifest
        self._threads = threads
        self._one = threading.Lock()
        self._closed = False
        self._gives_way = False
        self._started_s = time.monotonic()
        self._process, self._connection = _start(self._folder, self._threads)
        self._description = self._greeted().description
        log.info("engine: %s, in process %d", self._description, self._process.pid)

    @property
    def description(self) -> str:
        """Of the engine in the other process."""
        return f"{self._description}, in the background"

    @property
    def pid(self) -> int:
        """Number of the other process."""
        return self._process.pid

    def detect(self, batch: CanvasBatch) -> Candidates:
        """See `Engine.detect`.

        Raises:
            EngineError: also when the process ended, or did not answer in time; then another takes its place.
        """
        with self._one:
            self._start_again()
            try:
                self._connection.send(batch)
                answer = self._received(TIMEOUT_S)
            except (EOFError, OSError) as exc:
                self._end()
                raise EngineError(f"its process ended with {self._process.returncode}") from exc
        if not isinstance(answer, Candidates):
            raise EngineError(answer.message if isinstance(answer, Refused) else "its process answered something else")
        return answer

    def give_way(self) -> None:
        """From now on it takes only what others leave: once it has been loaded, for which somebody may wait."""
        self._gives_way = True
        give_way(self.pid)

    def ready(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends the process, in the middle of an inference too."""
        self._closed = True
        self._process.kill()  # who waits for it hears of it, and lets go
        while not self._one.acquire(timeout=0.1):
            self._process.kill()
        self._end()
        self._one.release()

    def _start_again(self) -> None:
        """In the place of a process that ended."""
        if self._closed:
            raise EngineError("the engine is closed")
        if self.ready() and not self._connection.closed:
            return
        self._end()
        if time.monotonic() < self._started_s + RESTART_S:
            raise EngineError(f"its process ended with {self._process.returncode}; another starts soon")
        log.warning("engine: process %d ended with %s; another starts", self.pid, self._process.returncode)
        self._started_s = time.monotonic()
        self._process, self._connection = _start(self._folder, self._threads)
        if self._gives_way:
            give_way(self.pid)
        self._greeted()

    def _greeted(self) -> Started:
        """What the process says once it has loaded the network."""
        try:
            told = self._received(START_S)
        except (EOFError, OSError) as exc:
            self._end()
            raise EngineError(f"the process for {self._folder} ended with {self._process.returncode}") from exc
        if isinstance(told, Started) and told.manifest == self._manifest:
            return told
        self._end()
        if isinstance(told, Refused):
            raise BundleError(told.message)
        raise BundleError(f"{self._folder} was changed while it was read")

    def _received(self, within_s: float) -> "Started | Refused | Candidates":
        if not self._connection.poll(within_s):
            self._end()
            raise EngineError(f"its process did not answer within {within_s:g} s")
        return self._connection.recv()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._connection.close()


def give_way(process: int) -> None:
    """Gives a process, all its threads and those that they will start the lowest priority there is.

    What the system does not have, or does not allow, is left out.
    """
    threads = [process]
    with suppress(OSError):
        threads = [int(each.name) for each in Path(f"/proc/{process}/task").iterdir()]
    for thread in threads:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, 19)
        with suppress(OSError, AttributeError):
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        Path(f"/proc/{process}/oom_score_adj").write_text("1000", encoding="ascii")


def _start(folder: Path, threads: int) -> tuple[subprocess.Popen[bytes], Connection]:
    """A process, and the way to it: its end of it closes with it, and it ends when ours does."""
    ours, its = socket.socketpair()
    with its:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", CHILD, str(its.fileno()), str(folder), str(threads)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
            # Out of reach of a terminal's Ctrl-C. Not a session: Linux would share the cores between sessions equally.
            process_group=0,
        )
    return process, Connection(ours.detach())
