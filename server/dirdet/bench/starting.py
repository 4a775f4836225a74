"""How soon fresh processes import dirdet and serve, from files in memory and from the disk, and what that takes."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from dirdet.errors import EngineError

# Longer than this a server does not take, however busy the machine.
START_S = 120.0
# How often a server is asked whether it is ready: that costs it a millisecond each time.
ASKED_EVERY_S = 0.02
# What a server still does after its start is over by then.
IDLE_S = 1.0
ADDRESS = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
# Prints the files that serving reads: Python's, and the libraries and the network that are mapped.
READ_FILES = """
import sys
from pathlib import Path
from dirdet.detector import Detector
import dirdet.commands.serve
Detector.open()
for module in list(sys.modules.values()):
    for name in ("__file__", "__cached__"):
        print(getattr(module, name, None) or "")
maps = Path("/proc/self/maps")
for line in maps.read_text().splitlines() if maps.exists() else ():
    print("/" + line.partition("/")[2])
from dirdet.shipped import open_bundle
for file in open_bundle(None).folder.iterdir():
    print(file)
"""


@dataclass(frozen=True, slots=True)
class Started:
    """One start of `dirdet serve`.

    Attributes:
        ready_s: from starting the process until GET /health/ready answers 200.
        cpu_s: what the process took of the processor until then, which other work on the machine changes little.
        memory_bytes: resident, of the process and its children, when it has been idle for a second.
    """

    ready_s: float
    cpu_s: float
    memory_bytes: float


def import_seconds(statement: str) -> float:
    """What an import takes in a fresh process, without what Python itself takes to start."""
    code = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def start() -> Started:
    """Starts `dirdet serve` with the shipped detector on a free port, and stops it.

    Raises:
        EngineError: it ends or is not ready in time.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PORT"}
    command = [sys.executable, "-m", "dirdet", "serve", "--port", "0"]
    began = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process, _killed(process):
        port = _port(process)
        while not _ready(port):
            if process.poll() is not None or time.perf_counter() - began > START_S:
                raise EngineError("dirdet serve did not get ready")
            time.sleep(ASKED_EVERY_S)
        ready_s = time.perf_counter() - began
        family = psutil.Process(process.pid)
        taken = family.cpu_times()
        time.sleep(IDLE_S)
        memory = sum(each.memory_info().rss for each in [family, *family.children(recursive=True)])
    return Started(ready_s, taken.user + taken.system, memory)


def read_files() -> list[Path]:
    """The files that `dirdet serve` reads when it starts."""
    done = subprocess.run([sys.executable, "-c", READ_FILES], capture_output=True, text=True, check=True)
    return sorted({path for line in done.stdout.splitlines() if line for path in [Path(line)] if path.is_file()})


def forget(files: Sequence[Path]) -> bool:
    """Lets the system drop its copies of files in memory; false where it has no such call.

    What another process has mapped stays, this one's Python for example.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


@contextmanager
def _killed(process: subprocess.Popen[str]) -> Generator[None]:
    """Ends a process with the block: it has nothing to finish."""
    try:
        yield
    finally:
        process.kill()


def _port(process: subprocess.Popen[str]) -> int:
    told: list[str] = []
    for line in process.stderr or ():
        told.append(line.strip())
        found = ADDRESS.search(line)
        if found:
            return int(found[1])
    raise EngineError(f"dirdet serve did not start: {' '.join(told[-1:])}")


def _ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=START_S) as connection:
            connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
