"""Triton's models against each other, and what the gateway adds to one."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np

from dirdet.bundle.shipped import open_bundle
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import CanvasBatch
from dirdet.engines.triton.client import KEY_VARIABLE, import_client, read_triton_key, with_key
from dirdet.engines.triton.models import ModelNames
from dirdet.engines.triton.target import TritonTarget
from dirdet.errors import EngineError
from dirdet_bench.harness.canvases import open_picture
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.harness.report import Goal, Row, rows_against
from dirdet_bench.harness.turns import results_in_turns, seconds_of
from dirdet_bench.serving.triton_gateway import DIRECT, GATEWAY, time_gateway

TIMEOUT_S = 10.0
# Connections are made, and every size of batch is seen for the first time.
WARM_UP = 2
# Milliseconds that the gateway may add.
GOALS = {"p50": Goal(at_most=2), "p99": Goal(at_most=5)}


@dataclass(frozen=True, slots=True)
class Load:
    """The requests of every turn, so many at once, of batches of one canvas that are sent again from the beginning."""

    batches: Sequence[CanvasBatch]
    requests: int
    concurrency: int


@measurement("triton", packages=("grpcio", "numpy", "pillow", "tritonclient", "uvicorn"), rounds=20)
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--triton", required=True, metavar="HOST:PORT", help="gRPC endpoint of a running Triton.")
@click.option("--triton-key-file", type=click.Path(path_type=Path), envvar=KEY_VARIABLE, help="File with Triton's key.")
@detector_option
@click.option("--model", "models", multiple=True, metavar="NAME", help="A model to time [all loaded ones that detect].")
@click.option("--concurrency", type=click.IntRange(min=1), default=8, show_default=True, help="Requests at once.")
@click.option("--requests", type=click.IntRange(min=1), default=16, show_default=True, help="Of each turn.")
@click.option("--gateway", metavar="URL", help="Time what this running gateway adds to the first model, instead.")
def command(
    *,
    pictures: tuple[Path, ...],
    triton: str,
    triton_key_file: Path | None,
    folder: Path | None,
    models: tuple[str, ...],
    concurrency: int,
    requests: int,
    rounds: int,
    gateway: str | None,
) -> Result:
    """Time the models of a running Triton on PICTURES, in turns; or, with --gateway, one against the gateway before it.

    Every request is one canvas; pictures are read and resized beforehand. `tritonserver` and, for --gateway,
    `dirdet serve --triton` have to run already.
    """
    bundle = open_bundle(folder)
    key = read_triton_key(triton_key_file)
    version, loaded = _version_and_models(TritonTarget(triton, key=key))
    names = ModelNames(bundle.manifest.name)
    chosen = models or tuple(name for name in (names.detector, names.detector_onnx) if name in loaded)
    if not chosen:
        raise EngineError(f"Triton at {triton} serves no model of detector {bundle.manifest.name!r}")
    engines = {name: make_engine(bundle, triton=TritonTarget(triton, name, key=key)) for name in chosen}
    try:
        detector = Detector(bundle.manifest, engines[chosen[0]])
        placed = [detector.place(open_picture(path)) for path in pictures]
        settings = detector.settle(DetectOptions())
        batches = [CanvasBatch.of([each], [settings]) for each in placed]
        if gateway is not None:
            target = TritonTarget(triton, chosen[0], key=key)
            seconds = time_gateway(detector, placed[0], batches[0], target, gateway, rounds)
            return _gateway_result(seconds, f"One canvas at a time to {chosen[0]}", version)
        seconds, latencies = time_models(engines, Load(batches, requests, concurrency), rounds)
    finally:
        for engine in engines.values():
            engine.close()
    facts = {"triton": version, "latencies_ms": {name: percentiles_ms(taken) for name, taken in latencies.items()}}
    what = f"{requests} canvases, {concurrency} at once"
    return Result(what, rows_against(seconds, chosen[0]), facts, latency_table(latencies))


def time_models(
    engines: Mapping[str, Engine], load: Load, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Lets each engine answer the whole load once a round.

    Returns:
        By engine, seconds of each turn, and seconds of each request.

    Raises:
        EngineError: an engine did not answer.
    """
    with ThreadPoolExecutor(load.concurrency) as pool:

        def request(engine: Engine, number: int) -> float:
            return seconds_of(lambda: engine.detect(load.batches[number % len(load.batches)]))

        def turn(engine: Engine) -> tuple[float, list[float]]:
            began = time.perf_counter()
            latencies = list(pool.map(partial(request, engine), range(load.requests)))
            return time.perf_counter() - began, latencies

        runs: dict[str, Callable[[], tuple[float, list[float]]]] = {
            name: partial(turn, engine) for name, engine in engines.items()
        }
        found = results_in_turns(runs, rounds, warm_up=WARM_UP)
    return (
        {name: [seconds for seconds, _ in turns] for name, turns in found.items()},
        {name: [each for _, latencies in turns for each in latencies] for name, turns in found.items()},
    )


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds by "p50", "p95" and "p99"."""
    return {f"p{each}": round(1000 * float(np.percentile(seconds, each)), 3) for each in (50, 95, 99)}


def latency_table(seconds: Mapping[str, Sequence[float]]) -> str:
    """Markdown: percentiles of requests."""
    lines = ["| a request | p50 | p95 | p99 |", "|---|---|---|---|"]
    for name, taken in seconds.items():
        lines.append(f"| {name} | {' | '.join(f'{each:.2f} ms' for each in percentiles_ms(taken).values())} |")
    return "\n".join(lines)


def _gateway_result(seconds: Mapping[str, Sequence[float]], what: str, version: str) -> Result:
    figures = {name: percentiles_ms(taken) for name, taken in seconds.items()}
    added = {key: round(figures[GATEWAY][key] - figures[DIRECT][key], 3) for key in figures[DIRECT]}
    rows = [Row(name, taken) for name, taken in seconds.items()]
    rows += [Row(f"the gateway adds at {key}", [added[key]], unit="ms", goal=goal) for key, goal in GOALS.items()]
    facts = {"triton": version, "latencies_ms": figures, "added_ms": added}
    return Result(what, rows, facts, latency_table(seconds))


def _version_and_models(target: TritonTarget) -> tuple[str, frozenset[str]]:
    """The server's name and version, and the names of its loaded models.

    Raises:
        EngineError: it does not answer.
        MissingExtraError: tritonclient is not installed.
    """
    grpc = import_client()
    try:
        with with_key(grpc.InferenceServerClient(target.address), target.key) as client:
            server = client.get_server_metadata(client_timeout=TIMEOUT_S)
            index = client.get_model_repository_index(client_timeout=TIMEOUT_S)
    except grpc.InferenceServerException as exc:
        raise EngineError(f"--triton: {target.address} does not answer: {exc.message()}") from exc
    loaded = frozenset(str(model.name) for model in index.models if model.state == "READY")
    return f"{server.name} {server.version}", loaded
