"""A gateway as a process of its own: `dirdet serve` with uvicorn, which can be killed and started again."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator

STOP_S = 60


class GatewayProcess:
    """Serves the detector that comes with the package.

    Attributes:
        url: where it listens, whenever it runs.
    """

    def __init__(self, *options: object) -> None:
        """Does not start yet; takes a free port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._options = [str(each) for each in options]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns once it is ready."""
        command = [sys.executable, "-c", "from dirdet.cli import main; main()", "serve", "--port", str(self._port)]
        self._process = subprocess.Popen([*command, *self._options], stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        log = ""
        while not re.search("INFO ready$", log, re.MULTILINE):
            line = self._process.stderr.readline()
            assert line, log
            log += line

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends it, if it runs."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.communicate(timeout=STOP_S)
            self._process = None


@contextlib.contextmanager
def gateway_process(*options: object) -> Generator[GatewayProcess]:
    """A running one, ended at the end."""
    gateway = GatewayProcess(*options)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.end()
