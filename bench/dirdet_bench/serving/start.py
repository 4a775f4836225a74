"""How soon `dirdet serve` is ready and `import dirdet` done, in fresh processes, and the memory of an idle server."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.processes import serving
from dirdet_bench.harness.report import Goal, Row
from dirdet_bench.harness.turns import progress

READY_GOAL, IMPORT_GOAL, MEMORY_GOAL = Goal(at_most=2.0), Goal(at_most=0.3), Goal(at_most=300.0)
IMPORTS = {"import dirdet": IMPORT_GOAL, "from dirdet import Client": None, "import dirdet.gateway.app": None}
WARM, COLD = "dirdet serve until ready, files in memory", "dirdet serve until ready, files on the disk"
CPU, MEMORY = "processor time until ready, files in memory", "memory of dirdet serve, idle"
# The first start compiles Python's files.
WARM_UP = 1
# Seconds between two requests whether a server is ready: each takes it a millisecond.
POLL_S = 0.02
# After this the work of starting is over.
IDLE_S = 1.0
# Prints the files that serving reads: Python's, and the mapped libraries and network.
READ_FILES = """
import sys
from pathlib import Path
from dirdet.detector.detector import Detector
import dirdet.commands.serve
Detector.open()
for module in list(sys.modules.values()):
    for name in ("__file__", "__cached__"):
        print(getattr(module, name, None) or "")
maps = Path("/proc/self/maps")
for line in maps.read_text().splitlines() if maps.exists() else ():
    print("/" + line.partition("/")[2])
from dirdet.bundle.shipped import open_bundle
for file in open_bundle(None).folder.iterdir():
    print(file)
"""


@dataclass(frozen=True, slots=True)
class Started:
    """Seconds and processor time until a `dirdet serve` was ready, and its resident memory a second later."""

    ready_s: float
    cpu_s: float
    memory_bytes: float


@measurement("start", packages=("fastapi", "numpy", "onnxruntime", "pillow", "pydantic", "uvicorn"), rounds=10)
@click.option(
    "--cold/--no-cold",
    default=True,
    help="Start also from files on the disk alone, where the system allows it.",
)
def command(*, rounds: int, cold: bool) -> Result:
    """Start fresh processes, one after another: import dirdet, and serve the shipped detector until it is ready.

    Ready is a 200 from GET /health/ready: the network is loaded and has detected once on every canvas. From the disk
    means that the system was asked to forget the files that serving reads; files that another process uses may stay.
    Goals: 2 s, 0.3 s for the import, 300 MB (resident) for an idle server.
    """
    values: dict[str, list[float]] = {name: [] for name in (*IMPORTS, WARM, CPU, COLD, MEMORY)}
    files = read_files() if cold else []
    for number in progress(rounds + WARM_UP, "starts"):
        seconds = {statement: import_seconds(statement) for statement in IMPORTS}
        warm = start()
        found = {**seconds, WARM: warm.ready_s, CPU: warm.cpu_s, MEMORY: warm.memory_bytes / 1e6}
        if files and forget(files):
            found[COLD] = start().ready_s
        for name, value in found.items() if number >= WARM_UP else ():
            values[name].append(value)
    goals = {**IMPORTS, WARM: READY_GOAL, CPU: None, COLD: READY_GOAL, MEMORY: MEMORY_GOAL}
    rows = [
        Row(name, taken, unit="MB" if name == MEMORY else "s", goal=goals[name])
        for name, taken in values.items()
        if taken
    ]
    return Result("Fresh processes", rows, {"files forgotten": len(files)})


def import_seconds(statement: str) -> float:
    """Seconds of an import in a fresh process, without the start of Python itself."""
    code = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def start() -> Started:
    """Starts `dirdet serve` with the shipped detector, and stops it.

    Raises:
        EngineError: it ends or is not ready in time.
    """
    began = time.perf_counter()
    with serving(poll_s=POLL_S) as server:
        ready_s = time.perf_counter() - began
        cpu_s = server.cpu_seconds()
        time.sleep(IDLE_S)
        family = [server.process, *server.process.children(recursive=True)]
        return Started(ready_s, cpu_s, sum(each.memory_info().rss for each in family))


def read_files() -> list[Path]:
    """The files that `dirdet serve` reads when it starts."""
    done = subprocess.run([sys.executable, "-c", READ_FILES], capture_output=True, text=True, check=True)
    return sorted({path for line in done.stdout.splitlines() if line for path in [Path(line)] if path.is_file()})


def forget(files: Sequence[Path]) -> bool:
    """Lets the system drop its copies of files in memory; false where it has no such call."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True
