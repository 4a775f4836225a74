"""How soon `dirdet serve` is ready and `import dirdet` done, in fresh processes, and the memory of an idle server."""

from pathlib import Path

import click

from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, Row
from dirdet.bench.telling import command_line, shown, tell
from dirdet.errors import MissingExtraError, install_hint

PACKAGES = ("dirdet", "fastapi", "numpy", "onnxruntime", "pillow", "pydantic", "uvicorn")
READY_GOAL, IMPORT_GOAL, MEMORY_GOAL = Goal(at_most=2.0), Goal(at_most=0.3), Goal(at_most=300.0)
IMPORTS = {"import dirdet": IMPORT_GOAL, "from dirdet import Client": None, "import dirdet.app": None}
WARM, COLD = "dirdet serve until ready, files in memory", "dirdet serve until ready, files on the disk"
CPU, MEMORY = "processor time until ready, files in memory", "memory of dirdet serve, idle"
# The first start compiles what is not compiled yet.
WARM_UP = 1


@click.command("start")
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True, help="Counted ones.")
@click.option(
    "--cold/--no-cold", default=True, help="Start also from files that are only on the disk, where it is known how."
)
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
def command(*, rounds: int, cold: bool, out: Path | None) -> None:
    """Start fresh processes, one after another: import dirdet, and serve the shipped detector until it is ready.

    Ready is a 200 from GET /health/ready: the network is loaded and has detected once on every canvas. From the disk
    means that the system was told to forget the files that serving reads; what another process uses may stay. Goals:
    2 s, 0.3 s for the import, 300 MB (resident) for a server that is idle.
    """
    try:
        from dirdet.bench.starting import forget, import_seconds, read_files, start
    except ModuleNotFoundError as exc:
        raise MissingExtraError(f"this measurement needs {exc.name}: {install_hint('bench')}") from exc
    values: dict[str, list[float]] = {name: [] for name in (*IMPORTS, WARM, CPU, COLD, MEMORY)}
    files = read_files() if cold else []
    for number in shown(rounds + WARM_UP, "starts"):
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
    report = Report("Fresh processes", command_line(), machine(PACKAGES), rows, {"files forgotten": len(files)})
    tell(report, out)
