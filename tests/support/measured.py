"""A Python program in a process of its own, with the most memory that it, or a process that it began, ever took."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Measured(NamedTuple):
    """How a program ended.

    Attributes:
        status: its exit status; None where it had to be ended.
        stdout: what it wrote.
        stderr: what it wrote there.
        peak_mib: of its resident memory, or of the largest of the processes that it waited for.
        seconds: until it ended.
    """

    status: int | None
    stdout: str
    stderr: str
    peak_mib: float
    seconds: float


# A process begins with the peak of the one that it is forked from, so the tests' own does not fork what is measured.
FROM_A_SMALL_PROCESS = """
import os, sys
report = sys.argv[1]
child = os.fork()
if not child:
    os.execv(sys.executable, [sys.executable, "-c", *sys.argv[2:]])
with open(report, "w") as file:
    print(child, file=file)
_, status, usage = os.wait4(child, 0)
with open(report, "a") as file:
    print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, file=file)
"""


def measured(code: str, *arguments: object, within_s: float = 60, env: dict[str, str] | None = None) -> Measured:
    """Runs Python code, and ends it when it takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        out, err, report = Path(folder, "out"), Path(folder, "err"), Path(folder, "report")
        began = time.monotonic()
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", FROM_A_SMALL_PROCESS, str(report), code, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", **(env or {})},
            )
            killed = False
            while process.poll() is None:
                if not killed and time.monotonic() - began > within_s:
                    with suppress(ProcessLookupError):  # it ended just now
                        os.kill(int(report.read_text().split()[0]), signal.SIGKILL)
                        killed = True
                time.sleep(0.02)
        seconds = time.monotonic() - began
        assert process.returncode == 0, err.read_text()
        _, status, peak_kib = map(int, report.read_text().split())
        return Measured(None if killed else status, out.read_text(), err.read_text(), peak_kib / 1024, seconds)
