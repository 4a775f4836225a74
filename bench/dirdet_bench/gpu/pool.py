"""Times the ensemble in a Triton whose CUDA memory pool is Triton's own size, and the size that the bundle needs."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from dirdet.bundle.bundle import Bundle
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import MAX_BATCH
from dirdet.engines.triton.models import ModelNames
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.memory_pool import POOL
from dirdet.engines.triton.repository.writer import CONFIG, write_repository
from dirdet.engines.triton.target import TritonTarget
from dirdet.errors import NotFoundError
from dirdet_bench.harness.canvases import canvas_batch
from dirdet_bench.serving.triton import Load, percentiles_ms, time_models

# tritonserver's default.
USUAL_BYTES = 64 * 2**20
START_S = 120.0
ROUNDS, REQUESTS = 3, 32
# Triton's warning of a CUDA memory pool that is full.
FALLS_BACK = "falling back to pinned system memory"


def compare_pools(bundle: Bundle, picture: Image.Image, log: Path) -> dict[str, Any]:
    """Returns latencies and warnings for both sizes of the ensemble's pool, and for trunk and RoI stage in one process.

    Raises:
        NotFoundError: there is no tritonserver.
        RuntimeError: it does not start; names its log.
    """
    program = shutil.which("tritonserver")
    if program is None:
        raise NotFoundError("there is no tritonserver on this machine")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        ensemble, process = Path(place) / "ensemble", Path(place) / "process"
        write_repository(bundle, ensemble, options=RepositoryOptions())
        write_repository(bundle, process, options=RepositoryOptions(detector_as="process"))
        model = ModelNames(bundle.manifest.name).detector
        ways = {
            "usual": (ensemble, USUAL_BYTES),
            "computed": (ensemble, needed_bytes(ensemble / model)),
            "one process": (process, USUAL_BYTES),
        }
        for name, (repository, pool_bytes) in ways.items():
            begins = log.stat().st_size if log.is_file() else 0
            try:
                with _serving(program, repository, pool_bytes, log) as address:
                    engine = make_engine(bundle, triton=TritonTarget(address, model))
                    load = Load([canvas_batch(picture, bundle.manifest)], REQUESTS, MAX_BATCH)
                    try:
                        _, latencies = time_models({name: engine}, load, ROUNDS)
                    finally:
                        engine.close()
            except RuntimeError as exc:
                if repository == ensemble:
                    raise
                found[name] = {"failed": str(exc)}  # its Python may lack ONNX Runtime
                continue
            said = log.read_bytes()[begins:].decode(errors="replace")
            found[name] = {
                "bytes": pool_bytes,
                "latencies_ms": percentiles_ms(latencies[name]),
                "warnings": said.count(FALLS_BACK),
            }
    return found


def needed_bytes(model: Path) -> int:
    """Returns the pool's size that a model's configuration states."""
    text = (model / CONFIG).read_text(encoding="utf-8")
    found = re.search(rf"{POOL}.*?string_value:\s*\"(\d+)\"", text, re.DOTALL)
    if found is None:
        raise RuntimeError(f"{model / CONFIG} has no {POOL}")
    return int(found[1])


@contextmanager
def _serving(program: str, repository: Path, pool_bytes: int, log: Path) -> Generator[str]:
    """Runs tritonserver on a free loopback port; yields its gRPC address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, f"--model-repository={repository}", f"--grpc-port={port}", "--grpc-address=127.0.0.1"]
    command += ["--allow-http=false", "--allow-metrics=false", f"--cuda-memory-pool-byte-size=0:{pool_bytes}"]
    with log.open("ab") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        )
    try:
        deadline_s = time.monotonic() + START_S
        while True:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"tritonserver did not start: see {log}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
