"""The gateway against LitServe, BentoML and decoding alone, for the same work."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import click
import httpx
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from dirdet.bundle.shipped import open_bundle
from dirdet.engines.cores import usable_cores
from dirdet.errors import ParameterError
from dirdet_bench.harness.environments import python_with
from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.processes import Server, free_port, running
from dirdet_bench.harness.report import Goal, Row
from dirdet_bench.harness.turns import results_in_turns
from dirdet_bench.serving.fake_engine import BOXES, DETECTIONS
from dirdet_bench.serving.wrk import Load, answers, bodies, load

HERE = Path(__file__).parent
# In one process, as with an engine of its own; and before a server that infers, in as many as the others have.
OWN, SEVERAL = "dirdet", "dirdet --workers"
BEFORE, DECODING = "dirdet before", "decoding alone"
OPTIONS: Mapping[str, Sequence[str]] = {
    # As many decoding threads as cores: the engine takes none of them.
    OWN: ("--decoding-threads", str(usable_cores())),
    SEVERAL: ("--triton", "127.0.0.1:1", "--workers", str(usable_cores())),
}
# Of a checkout, which Python prefers to what is installed.
PACKAGES = ("server", "training", "export", "bench")
EVENT_LOOP, REST = "event loop", "the rest"
STAGE_METRIC = "dirdet_stage_cpu_seconds_total"
# Before each measurement: the first seconds of a server are slower.
WARM_UP_S = 2.0


@dataclass(frozen=True)
class Compared:
    """Another project's server, with the settings that its documentation recommends."""

    script: str
    requirements: Sequence[str]
    settings: Mapping[str, str]


OTHERS: Mapping[str, Compared] = {
    "litserve": Compared(
        "litserve_server.py", ("litserve==0.2.19", "pillow", "numpy", "python-multipart"), {"BENCH_API_SERVERS": "1"}
    ),
    "bentoml": Compared("bentoml_service.py", ("bentoml==1.4.40", "pillow", "numpy"), {"BENTOML_DO_NOT_TRACK": "True"}),
}
# Of the others' requests a second, and of the pictures that the same cores decode.
GOALS: Mapping[str, Goal | None] = {name: Goal(at_least=2.0) for name in OTHERS} | {DECODING: Goal(at_least=0.8)}


@dataclass(frozen=True)
class Turn:
    """One server under load once: processor time of all its processes, and, of dirdet's own gateway, its parts."""

    load: Load
    cpu_s: float
    stages_s: Mapping[str, float] = field(default_factory=dict[str, float])


@measurement("gateway", packages=("fastapi", "uvicorn", "pillow", "numpy"), rounds=3)
@click.option(
    "--pictures", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True,
    help="Folder of JPEG files; each is one request.",
)  # fmt: skip
@click.option("--against", type=click.Choice(list(OTHERS)), multiple=True, default=list(OTHERS), show_default=True)
@click.option(
    "--scaled", is_flag=True,
    help="The others decode JPEGs at the scale that is needed too, as their documentation does not show.",
)  # fmt: skip
@click.option(
    "--before", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Checkout of another version of dirdet, in place of the other servers.",
)  # fmt: skip
@click.option("--callers", type=click.IntRange(min=1), default=8, show_default=True, help="Requests at the same time.")
@click.option("--seconds", type=click.FloatRange(min=1), default=10, show_default=True, help="Of load, each time.")
def command(
    *,
    pictures: Path,
    against: Sequence[str],
    scaled: bool,
    before: Path | None,
    callers: int,
    seconds: float,
    rounds: int,
) -> Result:
    """Send the same pictures to dirdet's gateway and to other servers, each over an engine that does nothing.

    All decode, resize to the shipped detector's canvas and answer ten detections in JSON, on all cores of this machine.
    The load comes from wrk (apt-get install wrk). Other servers are installed on first use, in environments below
    ~/.cache/dirdet.
    """
    files = sorted(path for path in pictures.iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})
    if not files:
        raise ParameterError("--pictures", f"expected JPEG files in {pictures}, found none")
    with tempfile.TemporaryDirectory(prefix="dirdet-bench-") as place:
        forms = bodies(files, Path(place))
        put = partial(load, bodies=forms, callers=callers, folder=Path(place))

        def under_load(name: str) -> Turn:
            with started(name, partial(answers, body=forms[0]), scaled=scaled, before=before) as server:
                put(server.port, seconds=WARM_UP_S)
                return measured(server, lambda: put(server.port, seconds=seconds), own=name in OPTIONS)

        names = (*OPTIONS, *against) if before is None else (OWN, BEFORE)
        runs: dict[str, Callable[[], Turn | float]] = {name: partial(under_load, name) for name in names}
        runs[DECODING] = partial(_decoding, files, seconds)
        found = results_in_turns(runs, rounds)
    turns = {name: [turn for turn in each if isinstance(turn, Turn)] for name, each in found.items()}
    rates = {
        name: [each.load.per_second if isinstance(each, Turn) else each for each in taken]
        for name, taken in found.items()
    }
    rows = [Row(name, each, unit="/s") for name, each in rates.items()]
    for own in (each for each in OPTIONS if each in turns):
        rows += [
            Row(f"{own} by {name}", rates[own], unit="/s", against=name, goal=GOALS.get(name))
            for name in rates
            if name not in OPTIONS
        ]
        rows += [
            Row(f"processor time a request, {own}: {stage}", [t.stages_s[stage] / t.load.requests for t in turns[own]])
            for stage in turns[own][0].stages_s
        ]
    with Image.open(files[0]) as first:
        sent = f"{len(files)} JPEG files, the first {first.width} x {first.height}"
    facts = {"pictures": sent, "medians": {name: _medians(each) for name, each in turns.items() if each}}
    return Result(f"{sent}; {callers} callers, {seconds:g} s each time", rows, facts)


def started(  # noqa: ANN201 - running's
    name: str, ready: Callable[[int], bool], *, scaled: bool = False, before: Path | None = None
):
    """A server, as `running`.

    Args:
        name: dirdet's gateway over the fake engine (`OPTIONS`, or of another version), or one of `OTHERS`.
        ready: whether the server at a port is.
        scaled: whether one of the others decodes at the scale that is needed.
        before: checkout of the other version.
    """
    port = free_port()
    if name in (*OPTIONS, BEFORE):
        environment = {BOXES: str(len(DETECTIONS))}
        if name == BEFORE and before is not None:
            environment["PYTHONPATH"] = os.pathsep.join(str(before.resolve() / each) for each in PACKAGES)
        command = [sys.executable, "-m", "dirdet_bench.serving.fake_engine", "serve", "--port", str(port)]
        return running(
            name, [*command, *OPTIONS.get(name, OPTIONS[OWN])], port=port, ready=ready, environment=environment
        )
    other, size = OTHERS[name], open_bundle(None).manifest.canvases[0]
    folder = HERE / "other_projects"
    environment = {
        "BENCH_PORT": str(port),
        "BENCH_CORES": str(usable_cores()),
        "BENCH_CANVAS_HW": json.dumps((size.height, size.width)),
        "BENCH_DETECTIONS": json.dumps(DETECTIONS),
        "BENCH_SCALED": "1" if scaled else "0",
        "PYTHONPATH": str(folder),
        **other.settings,
    }
    command = [str(python_with(name, other.requirements)), str(folder / other.script)]
    return running(name, command, port=port, ready=ready, environment=environment)


def measured(server: Server, put: Callable[[], Load], *, own: bool) -> Turn:
    """Puts a server under load, and reads its processor time."""
    stages_before = _cpu_by_stage(server) if own else {}
    before = server.cpu_seconds()
    found = put()
    cpu_s = server.cpu_seconds() - before
    stages = _cpu_by_stage(server) if own else {}
    return Turn(found, cpu_s, {name: taken - stages_before.get(name, 0.0) for name, taken in stages.items()})


def _cpu_by_stage(server: Server) -> dict[str, float]:
    """Processor time of dirdet's gateway so far, by its own metrics and, of the event loop, by the system."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(httpx.get(f"http://127.0.0.1:{server.port}/metrics").text):
        for sample in family.samples:
            if sample.name == STAGE_METRIC:
                stage = sample.labels["stage"]
                found[stage] = found.get(stage, 0.0) + sample.value
    # The event loop runs in the main thread, whose id is the process's.
    processes = [server.process, *server.process.children(recursive=True)]
    loops = [thread for each in processes for thread in each.threads() if thread.id == each.pid]
    found[EVENT_LOOP] = sum(loop.user_time + loop.system_time for loop in loops)
    return found | {REST: server.cpu_seconds() - sum(found.values())}


def _decoding(files: Sequence[Path], seconds: float) -> float:
    """Pictures a second that the cores decode and place on canvases, in a process that does nothing else."""
    command = [sys.executable, "-m", "dirdet_bench.serving.decode", str(usable_cores()), str(seconds), *map(str, files)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _medians(turns: Sequence[Turn]) -> dict[str, float]:
    """Latency, processor time of a request, and wrk's share of the cores' time."""
    return {
        "p50_ms": 1000 * median(turn.load.p50_s for turn in turns),
        "p99_ms": 1000 * median(turn.load.p99_s for turn in turns),
        "cpu_ms_a_request": 1000 * median(turn.cpu_s / turn.load.requests for turn in turns),
        "share_of_wrk": median(turn.load.generator_cpu_s / (turn.load.seconds * usable_cores()) for turn in turns),
    }
