"""A job over a folder against its engine alone, and against a loop over requests."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
import httpx

from dirdet.batch.engines.bundled import job_detector
from dirdet.batch.engines.canvases import CanvasStage
from dirdet.bundle.shipped import open_bundle
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.tensors import MAX_BATCH
from dirdet.errors import EngineError, ParameterError
from dirdet.pictures.canvas import PlacedPicture
from dirdet.pictures.formats import PICTURE_SUFFIXES
from dirdet_bench.harness.canvases import open_picture
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.harness.processes import json_lines, serving
from dirdet_bench.harness.report import Goal, rows_against
from dirdet_bench.harness.turns import results_in_turns

ENGINE, UNDIVIDED, JOB = "the engine alone", "the same, one batch after another on all cores", "dirdet batch"
POSTING, INFERENCER = "a loop over POST /detect", "DetInferencer"
# The job has to reach 0.95 of the engine's rate.
GOAL = Goal(at_most=1 / 0.95)
# MMDetection's DetInferencer over the pictures in argv[3:], once a line; MMDetection's own output goes to stderr.
INFERENCER_SCRIPT = """
import json, os, sys, time
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from mmdet.apis import DetInferencer
from dirdet_training.mm.configs import read_config
inferencer = DetInferencer(read_config(sys.argv[1]), sys.argv[2], device="cpu", show_progress=False)
for _ in sys.stdin:
    began = time.perf_counter()
    answer = inferencer(sys.argv[3:], batch_size=8, no_save_vis=True, no_save_pred=True)
    seconds = time.perf_counter() - began
    found = sum(len(each["scores"]) for each in answer["predictions"])
    print(json.dumps({"seconds": seconds, "detections": found}), file=answers, flush=True)
"""


@dataclass(frozen=True)
class Pass:
    """All pictures once; the seconds are without set-up."""

    seconds: float
    detections: int


@measurement("batch", packages=("numpy", "onnxruntime", "pillow", "pyarrow"), rounds=5)
@click.option(
    "--pictures", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True,
    help="Folder of pictures, all of which can be read.",
)  # fmt: skip
@detector_option
@click.option(
    "--inferencer", type=(str, click.Path(path_type=Path, exists=True)), metavar="CONFIG CHECKPOINT",
    help="Also MMDetection's DetInferencer with these, in batches of 8; needs the extra train.",
)  # fmt: skip
def command(*, pictures: Path, folder: Path | None, inferencer: tuple[str, Path] | None, rounds: int) -> Result:
    """Time a job over PICTURES, its engine alone on canvases in memory, and the same pictures without a job.

    All in turns; set-up does not count.
    """
    files = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise ParameterError("--pictures", f"expected pictures in {pictures}, found none")
    options = () if folder is None else ("--detector", str(folder))
    with ExitStack() as stack:
        runs: dict[str, Callable[[], Pass]] = {
            ENGINE: engine_alone(job_detector(open_bundle(folder)), files),
            UNDIVIDED: engine_alone(Detector.open(folder), files),
            JOB: lambda: job(pictures, *options),
            POSTING: stack.enter_context(posting(files, *options)),
        }
        if inferencer is not None:
            script = [sys.executable, "-c", INFERENCER_SCRIPT, *map(str, (*inferencer, *files))]
            ask = stack.enter_context(json_lines("MMDetection's DetInferencer", script))
            runs[INFERENCER] = lambda: Pass(**ask(None))
        passes = results_in_turns(runs, rounds, warm_up=1)
    seconds = {name: [each.seconds for each in found] for name, found in passes.items()}
    found = {name: int(median(each.detections for each in those)) for name, those in passes.items()}
    if found[JOB] != found[ENGINE]:
        click.echo(f"the job found {found[JOB]} detections and its engine {found[ENGINE]}", err=True)
    facts = {"pictures": len(files), "detections": found}
    return Result(f"A folder of {len(files)} pictures", rows_against(seconds, ENGINE, {JOB: GOAL}), facts)


def engine_alone(detector: Detector, pictures: Sequence[Path]) -> Callable[[], Pass]:
    """The engine on canvases in memory, in a job's batches; detections are only counted."""
    settings = detector.settle(DetectOptions())
    by_canvas: defaultdict[tuple[int, int], list[PlacedPicture]] = defaultdict(list)
    for path in pictures:
        placed = detector.place(open_picture(path))
        by_canvas[placed.fit.canvas_hw].append(placed)
    batches = [
        alike[start : start + MAX_BATCH] for alike in by_canvas.values() for start in range(0, len(alike), MAX_BATCH)
    ]

    def run() -> Pass:
        with closing(CanvasStage(detector, settings)) as stage:
            began = time.perf_counter()
            computing = [part for batch in batches for _, part in stage.start(batch)]
            found = [int(part.result().num_detections.sum()) for part in computing]
            return Pass(time.perf_counter() - began, sum(found))

    return run


def job(pictures: Path, *options: str) -> Pass:
    """`dirdet batch` over the folder, in a process of its own; its time is that of its job.json, without loading."""
    with tempfile.TemporaryDirectory(prefix="dirdet-bench-") as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "dirdet", "batch", str(pictures), "--out", str(out), "--quiet", *options]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise EngineError(f"dirdet batch failed: {ran.stderr.strip().splitlines()[-1:]}")
        found = re.search(r": (\d+) detections in ", ran.stdout)
        if found is None:
            raise EngineError(f"dirdet batch did not print its number of detections: {ran.stdout.strip()}")
        return Pass(json.loads((out / "job.json").read_text(encoding="utf-8"))["seconds"], int(found[1]))


@contextmanager
def posting(pictures: Sequence[Path], *options: str) -> Generator[Callable[[], Pass]]:
    """A loop over POST /detect, one picture after the other, to `dirdet serve` in a process of its own."""
    with serving(*options) as server, httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:

        def run() -> Pass:
            began, found = time.perf_counter(), 0
            for path in pictures:
                answer = client.post("/detect", files={"image": path.read_bytes()}).raise_for_status()
                found += len(answer.json()["images"][0]["detections"])
            return Pass(time.perf_counter() - began, found)

        yield run
