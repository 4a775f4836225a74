"""Servers and helpers as processes: started, awaited, asked, and ended with all that they started."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from dirdet.errors import EngineError

START_S = 120
STOP_S = 10


@dataclass(frozen=True)
class Server:
    """A server that answers on a port of 127.0.0.1; `process` is the one that was started."""

    process: psutil.Process
    port: int

    def cpu_seconds(self) -> float:
        """Processor time of the server and of its children that still run."""
        total = 0.0
        for each in [self.process, *self.process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                total += times.user + times.system
        return total


def is_ready(port: int) -> bool:
    """Whether GET /health/ready answers 200, as dirdet's gateway does when its detector is loaded and warm."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    ready: Callable[[int], bool] = is_ready,
    environment: Mapping[str, str] | None = None,
    poll_s: float = 0.1,
) -> Generator[Server]:
    """A server that is ready, and ends with the block.

    Args:
        name: for errors.
        command: starts it.
        port: where it will listen.
        ready: whether the server at the port is; called every `poll_s`.
        environment: beside this process's.
        poll_s: seconds.

    Raises:
        EngineError: it ends, or is not ready in time; the message has the last lines of its log.
    """
    own = {key: value for key, value in os.environ.items() if key != "PORT"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**own, **(environment or {})}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            until = time.monotonic() + START_S
            while not ready(port):
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    last = log.read().decode(errors="replace").strip().splitlines()[-3:]
                    raise EngineError(f"{name} did not start: {' | '.join(last) or 'its log is empty'}")
                time.sleep(poll_s)
            yield Server(psutil.Process(process.pid), port)
        finally:
            end_session(process)


@contextmanager
def serving(
    *options: str, module: str = "dirdet", environment: Mapping[str, str] | None = None, poll_s: float = 0.1
) -> Generator[Server]:
    """`dirdet serve` with these options on a free port of this machine; or another module that takes the same."""
    port = free_port()
    command = [sys.executable, "-m", module, "serve", "--port", str(port), *options]
    with running("dirdet serve", command, port=port, environment=environment, poll_s=poll_s) as server:
        yield server


def free_port() -> int:
    """A port of this machine on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_session(process: "subprocess.Popen[Any]") -> None:
    """Ends a process that has a session of its own, and all that it started, in sessions of their own too."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getpgid(each.pid) != process.pid:
                    each.send_signal(kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        _, family = psutil.wait_procs(family, STOP_S)
    process.wait()


Ask = Callable[[object], Any]


@contextmanager
def json_lines(name: str, command: Sequence[str | Path]) -> Generator[Ask]:
    """A process that answers each line of JSON on its standard input with one on its standard output.

    Raises:
        EngineError: (when it is asked) it has ended.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, answers = process.stdin, process.stdout

        def ask(question: object) -> Any:  # noqa: ANN401 - JSON
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(question), file=to, flush=True)
            line = answers.readline()
            if not line:
                raise EngineError(f"{name} ended; its own messages stand above")
            return json.loads(line)

        try:
            yield ask
        finally:
            with contextlib.suppress(BrokenPipeError):
                to.close()
