"""Several processes behind one listening socket: the parent starts them, replaces dead ones and ends with them."""

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from dirdet.errors import DirdetError
from dirdet.gateway.wire.handed_connections import Turns

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds before a dead worker is replaced, so that one that dies at once does not keep the machine busy.
RESTART_S = 1.0
# Seconds before the next connection is accepted, if the system has no memory or no file for one.
ACCEPT_AGAIN_S = 0.1
# Exit status of a worker after an error that every worker would meet, which it has reported.
TOLD = 1


def _only_wake(_: int, __: FrameType | None) -> None:
    """Handles a signal by doing nothing: Python reports a signal to the wakeup pipe only if it has a handler."""


class WorkersError(DirdetError):
    """Workers that cannot do their work."""


class Workers:
    """Forked processes that do the same work on connections, which they get in turns; use it before any thread.

    A terminal's Ctrl-C reaches the parent alone, which passes every signal on. The workers end with the parent,
    however it ends.
    """

    def __init__(
        self,
        number: int,
        work: Callable[[socket.socket], None],
        *,
        listener: socket.socket,
        ended: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Starts nothing yet.

        Args:
            number: of processes.
            work: of each, with the channel that its connections come over (`HandedConnections`); returns when the
                process gets SIGINT or SIGTERM.
            listener: a listening socket.
            ended: is called with the number of a process that has ended.
        """
        self._tell_ended = ended
        self._number = number
        self._work = work
        self._listener = listener
        self._turns = Turns()
        self._pids: set[int] = set()
        self._due_s: list[float] = []
        self._stopping = False
        self._failed = False
        self._alive = os.pipe()
        self._woken, self._waker = os.pipe()

    def run(self) -> None:
        """Returns when this process was asked to stop and all workers have ended.

        Raises:
            WorkersError: a worker failed for a reason that all workers share.
        """
        os.set_blocking(self._waker, False)
        self._listener.setblocking(False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _only_wake)
        for number in STOP_SIGNALS:
            signal.signal(number, self._pass_on)
        for _ in range(self._number):
            self._start()
        while self._pids or self._due_s:
            self._wait()
            self._replace()
        if self._failed:
            raise WorkersError("the workers could not start; their messages stand above")

    def _wait(self) -> None:
        """For a signal, for a connection, which a worker gets, or until a worker is to be replaced."""
        sources: list[int | socket.socket] = [self._woken]
        if self._pids:
            sources.append(self._listener)
        left_s = min(self._due_s) - time.monotonic() if self._due_s else None
        ready, _, _ = select.select(sources, [], [], left_s and max(left_s, 0.0))
        if self._woken in ready:
            os.read(self._woken, 4096)
            self._collect()
        if self._listener in ready:
            self._accept()

    def _accept(self) -> None:
        """One connection for a worker."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # the client has gone
            return
        except OSError as exc:
            log.warning("no connection can be accepted: %s", exc)
            time.sleep(ACCEPT_AGAIN_S)
            return
        if not self._turns.hand_over(connection):
            log.warning("no worker takes a connection; it is closed")

    def _collect(self) -> None:
        """Workers that have ended."""
        for pid in tuple(self._pids):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._pids.discard(pid)
                self._tell_ended(pid)
                if not self._stopping:
                    self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        if code == TOLD:
            self._failed = True
            self._pass_on(signal.SIGTERM, None)
            return
        log.warning("worker %d ended with %d; another takes its place", pid, code)
        self._due_s.append(time.monotonic() + RESTART_S)

    def _replace(self) -> None:
        """Workers whose time has come; none once this process was asked to stop."""
        now_s = time.monotonic()
        due = len(self._due_s)
        self._due_s = [] if self._stopping else [each for each in self._due_s if each > now_s]
        if not self._stopping:
            for _ in range(due - len(self._due_s)):
                self._start()

    def _start(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # a child must not answer as the parent does
        channel = self._turns.channel()
        pid = os.fork()
        if pid:
            channel.close()
            self._pids.add(pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            return
        status = TOLD
        try:
            status = self._status_of_work(channel)
        except KeyboardInterrupt:  # at any moment, also while an error is reported
            status = 0
        finally:
            os._exit(status)

    def _status_of_work(self, channel: socket.socket) -> int:
        """In the child: does the work, reports its error and returns the exit status."""
        status = TOLD
        try:
            self._begin_worker()
            self._work(channel)
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
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._listener.close()
        self._turns.close()
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
