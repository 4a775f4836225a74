"""Several processes on one listening socket; the parent starts them, replaces dead ones and ends with them."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from dirdet.errors import DirdetError

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds before a dead worker is replaced, so that one that dies at once does not keep the machine busy.
RESTART_S = 1.0
# Exit status of a worker after an error that every worker would meet, which it has reported.
TOLD = 1


class WorkersError(DirdetError):
    """Workers that cannot do their work."""


class Workers:
    """Forked processes that do the same work; use it before this process has any thread.

    A terminal's Ctrl-C reaches the parent alone, which passes every signal on. The workers end with the parent,
    however it ends.
    """

    def __init__(self, number: int, work: Callable[[], None], *, ended: Callable[[int], None] = lambda _: None) -> None:
        """Starts nothing yet.

        Args:
            number: of processes.
            work: of each; returns when the process gets SIGINT or SIGTERM.
            ended: is called with the number of a process that has ended.
        """
        self._tell_ended = ended
        self._number = number
        self._work = work
        self._pids: set[int] = set()
        self._stopping = False
        self._failed = False
        self._alive = os.pipe()

    def run(self) -> None:
        """Returns when this process was asked to stop and all workers have ended.

        Raises:
            WorkersError: a worker failed for a reason that all workers share.
        """
        for number in STOP_SIGNALS:
            signal.signal(number, self._pass_on)
        for _ in range(self._number):
            self._start()
        while self._pids:
            pid, status = os.wait()
            self._pids.discard(pid)
            self._tell_ended(pid)
            if not self._stopping:
                self._ended(pid, os.waitstatus_to_exitcode(status))
        if self._failed:
            raise WorkersError("the workers could not start; their messages stand above")

    def _ended(self, pid: int, code: int) -> None:
        if code == TOLD:
            self._failed = True
            self._pass_on(signal.SIGTERM, None)
            return
        log.warning("worker %d ended with %d; another takes its place", pid, code)
        time.sleep(RESTART_S)
        if not self._stopping:
            self._start()

    def _start(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # a child must not answer as the parent does
        pid = os.fork()
        if pid:
            self._pids.add(pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            return
        status = TOLD
        try:
            status = self._status_of_work()
        except KeyboardInterrupt:  # at any moment, also while an error is reported
            status = 0
        finally:
            os._exit(status)

    def _status_of_work(self) -> int:
        """In the child: does the work, reports its error and returns the exit status."""
        status = TOLD
        try:
            self._begin_worker()
            self._work()
            status = 0
        except KeyboardInterrupt:
            raise
        except DirdetError as exc:
            log.error("%s", exc)
        except BaseException:
            log.exception("a worker failed unexpectedly")
            status = 70  # EX_SOFTWARE of sysexits.h: another worker may succeed
        logging.shutdown()
        return status

    def _begin_worker(self) -> None:
        """In the child: leaves the terminal's process group, and ends when the parent ends."""
        os.setpgid(0, 0)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        reading, writing = self._alive
        os.close(writing)

        def end_with_parent() -> None:
            os.read(reading, 1)  # nothing is ever written: reading returns when the parent is gone
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=end_with_parent, daemon=True).start()

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        self._stopping = True
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
