"""`dirdet serve --triton` as a process of its own."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Generator

STOP_S = 180


class Gateway:
    """A running gateway.

    Attributes:
        url: where it listens.
        log: what it has said; complete once it has ended.
    """

    def __init__(self, triton: str, *options: str) -> None:
        """Starts it, in a group of processes of its own, and waits until it is ready."""
        command = [sys.executable, "-c", "from dirdet.cli import main; main()", "serve", "--port", "0"]
        self._process = subprocess.Popen(
            [*command, "--triton", triton, *options], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stderr is not None
        self.log = ""
        while not re.search("INFO ready$", self.log, re.MULTILINE):
            line = self._process.stderr.readline()
            assert line, self.log
            self.log += line
        found = re.search(r"listening on (http://\S+)", self.log)
        assert found is not None, self.log
        self.url = found[1]

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self, how: signal.Signals) -> int:
        """Its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        self.log += self._process.communicate(timeout=STOP_S)[1]
        return self._process.returncode

    def stop(self) -> None:
        """If it has not ended by `end`."""
        assert self._process.stderr is not None
        if not self._process.stderr.closed:
            self.end(signal.SIGKILL)


@contextlib.contextmanager
def serving(triton: str, *options: str) -> Generator[Gateway]:
    """A gateway, ended at the end if not before."""
    gateway = Gateway(triton, *options)
    try:
        yield gateway
    finally:
        gateway.stop()
