"""Ways of detecting on Triton against each other, and what the gateway adds."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from PIL import Image

from dirdet.bench.gateway_cost import DIRECT, GATEWAY, time_gateway
from dirdet.bench.gateway_cost import WARM_UP as GATEWAY_WARM_UP
from dirdet.bench.machine import machine
from dirdet.bench.report import latency_table, percentiles_ms, table, written
from dirdet.bench.triton_ways import WARM_UP, Load, time_ways
from dirdet.detector import Detector, canvas_batch
from dirdet.engines.factory import make_engine
from dirdet.engines.triton import import_client
from dirdet.engines.triton_target import TritonTarget
from dirdet.errors import EngineError
from dirdet.options import DetectOptions
from dirdet.pictures import read_picture
from dirdet.shipped import open_bundle
from dirdet.triton.layout import ModelNames

TIMEOUT_S = 10.0
PACKAGES = ("dirdet", "grpcio", "numpy", "pillow", "tritonclient", "uvicorn")
GOAL = "The goal is at most 2 ms more at p50 and 5 ms at p99."


@click.command("triton")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--triton", required=True, metavar="HOST:PORT", help="gRPC endpoint of a running Triton.")
@click.option("--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one].")
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="A model to time [all that detect and are loaded]."
)
@click.option("--concurrency", type=click.IntRange(min=1), default=8, show_default=True, help="Requests at once.")
@click.option("--requests", type=click.IntRange(min=1), default=16, show_default=True, help="Of each turn.")
@click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True, help="Counted ones.")
@click.option("--gateway", metavar="URL", help="Time what this running gateway adds to the first model, instead.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all times to this file.")
def command(
    *,
    pictures: tuple[Path, ...],
    triton: str,
    folder: Path | None,
    models: tuple[str, ...],
    concurrency: int,
    requests: int,
    rounds: int,
    gateway: str | None,
    out: Path | None,
) -> None:
    """Time the models of a running Triton on PICTURES, in turns; or, with --gateway, one against the gateway before it.

    Every request is one canvas; pictures are read and resized beforehand. Nothing is started: `tritonserver` and, for
    --gateway, `dirdet serve --triton` run already.
    """
    bundle = open_bundle(folder)
    target = TritonTarget(triton)
    metadata, loaded = _ask(target)
    names = ModelNames(bundle.manifest.name)
    chosen = models or tuple(name for name in (names.detector, names.detector_onnx) if name in loaded)
    if not chosen:
        raise EngineError(f"Triton at {triton} serves no model of detector {bundle.manifest.name!r}")
    facts: dict[str, object] = {"triton": metadata, "machine": machine(PACKAGES)}
    engines = {name: make_engine(bundle, triton=TritonTarget(triton, name)) for name in chosen}
    try:
        detector = Detector(bundle.manifest, engines[chosen[0]])
        placed = [detector.place(_read(path)) for path in pictures]
        settings = detector.settle(DetectOptions())
        batches = [canvas_batch([each], [settings]) for each in placed]
        if gateway is not None:
            total = rounds + GATEWAY_WARM_UP
            seconds = time_gateway(
                detector, placed[0], batches[0], TritonTarget(triton, chosen[0]), gateway, _shown(total, "requests")
            )
            _report_gateway(seconds, f"One canvas at a time to {chosen[0]}", facts, out)
            return
        found = time_ways(engines, Load(batches, requests, concurrency), _shown(rounds + WARM_UP, "rounds"))
    finally:
        for engine in engines.values():
            engine.close()
    what = f"{requests} canvases, {concurrency} at once, {rounds} rounds"
    click.echo(f"{what}\n\n{table(found.seconds, chosen[0])}\n\n{latency_table(found.latencies_s)}\n")
    _echo_facts(facts)
    if out is not None:
        latencies = {name: percentiles_ms(taken) for name, taken in found.latencies_s.items()}
        written(out, what=what, seconds=found.seconds, against=chosen[0], facts={**facts, "latencies_ms": latencies})


def _report_gateway(
    seconds: Mapping[str, Sequence[float]], what: str, facts: Mapping[str, object], out: Path | None
) -> None:
    figures = {name: percentiles_ms(taken) for name, taken in seconds.items()}
    added = {key: round(figures[GATEWAY][key] - figures[DIRECT][key], 3) for key in figures[DIRECT]}
    click.echo(f"{what}, {len(seconds[DIRECT])} rounds\n\n{latency_table(seconds)}\n")
    click.echo(f"The gateway adds {added['p50']:.2f} ms at p50 and {added['p99']:.2f} ms at p99. {GOAL}\n")
    _echo_facts(facts)
    if out is not None:
        written(
            out, what=what, seconds=seconds, against=DIRECT, facts={**facts, "latencies_ms": figures, "added_ms": added}
        )


def _ask(target: TritonTarget) -> tuple[str, frozenset[str]]:
    """The server's name and version, and the names of the models that it has loaded.

    Raises:
        EngineError: it does not answer.
        MissingExtraError: tritonclient is not installed.
    """
    grpc = import_client()
    try:
        with grpc.InferenceServerClient(target.address) as client:
            server = client.get_server_metadata(client_timeout=TIMEOUT_S)
            index = client.get_model_repository_index(client_timeout=TIMEOUT_S)
    except grpc.InferenceServerException as exc:
        raise EngineError(f"--triton: {target.address} does not answer: {exc.message()}") from exc
    loaded = frozenset(str(model.name) for model in index.models if model.state == "READY")
    return f"{server.name} {server.version}", loaded


def _read(path: Path) -> Image.Image:
    with path.open("rb") as file:
        return read_picture(file)


def _shown(count: int, label: str) -> Iterator[int]:
    """Numbers of rounds with a progress bar on standard error."""
    with click.progressbar(range(count), label=label, file=sys.stderr, show_pos=True) as bar:
        yield from bar


def _echo_facts(facts: Mapping[str, object]) -> None:
    for name, value in facts.items():
        click.echo(f"{name}: {value}")
