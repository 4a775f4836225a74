"""A job over a folder against its engine alone, and against what one would write instead of a job."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from dirdet.batch.engines.canvases import CanvasStage
from dirdet.bench.serving import serving
from dirdet.detector import MAX_BATCH, Detector, PlacedPicture
from dirdet.errors import EngineError
from dirdet.options import DetectOptions
from dirdet.pictures import read_picture


@dataclass(frozen=True)
class Pass:
    """All pictures once.

    Attributes:
        seconds: it took, without what is set up once.
        detections: that were found.
    """

    seconds: float
    detections: int


def engine_alone(detector: Detector, pictures: Sequence[Path]) -> Callable[[], Pass]:
    """An engine on canvases that are ready, in a job's batches; what comes out is left there."""
    settings = detector.settle(DetectOptions())
    buckets: defaultdict[tuple[int, int], list[Path]] = defaultdict(list)
    placed: dict[Path, PlacedPicture] = {}
    for path in pictures:
        with path.open("rb") as file:
            placed[path] = detector.place(read_picture(file))
        buckets[placed[path].fit.canvas_hw].append(path)
    batches = [
        [placed[path] for path in bucket[start : start + MAX_BATCH]]
        for bucket in buckets.values()
        for start in range(0, len(bucket), MAX_BATCH)
    ]

    def run() -> Pass:
        with closing(CanvasStage(detector, settings)) as stage:
            began = time.perf_counter()
            computing = [part for batch in batches for _, part in stage.start(batch)]
            found = [int(part.result().num_detections.sum()) for part in computing]
            return Pass(time.perf_counter() - began, sum(found))

    return run


def job(pictures: Path, *options: str) -> Pass:
    """`dirdet batch` over the folder, in a process of its own; its time is the one it tells, without loading."""
    with tempfile.TemporaryDirectory(prefix="dirdet-bench-") as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "dirdet", "batch", str(pictures), "--out", str(out), "--quiet", *options]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise EngineError(f"dirdet batch failed: {ran.stderr.strip().splitlines()[-1:]}")
        told = re.search(r": (\d+) detections in ", ran.stdout)
        if told is None:
            raise EngineError(f"dirdet batch did not tell its detections: {ran.stdout.strip()}")
        return Pass(json.loads((out / "job.json").read_text(encoding="utf-8"))["seconds"], int(told[1]))


@contextmanager
def posting(pictures: Sequence[Path], *options: str) -> Generator[Callable[[], Pass]]:
    """A loop over POST /detect, one picture after the other, to `dirdet serve` in a process of its own."""
    with serving(*options) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:

        def run() -> Pass:
            began, found = time.perf_counter(), 0
            for path in pictures:
                answer = client.post("/detect", files={"image": path.read_bytes()}).raise_for_status()
                found += len(answer.json()["images"][0]["detections"])
            return Pass(time.perf_counter() - began, found)

        yield run


@contextmanager
def inferring(pictures: Sequence[Path], config: str, checkpoint: Path) -> Generator[Callable[[], Pass]]:
    """MMDetection's DetInferencer on the same pictures, in a process of its own.

    Raises:
        EngineError: it does not start.
    """
    command = [sys.executable, "-m", "dirdet_training.bench.inferencer", config, str(checkpoint), *map(str, pictures)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run() -> Pass:
            print(file=process.stdin, flush=True)
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise EngineError("MMDetection's DetInferencer ended; what it said stands above")
            return Pass(**json.loads(line))

        try:
            yield run
        finally:
            process.stdin.close()
