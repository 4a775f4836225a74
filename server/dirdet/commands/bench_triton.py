"""Ways of detecting on Triton against each other, and what the gateway adds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from PIL import Image

from dirdet.bench.gateway_cost import DIRECT, GATEWAY, time_gateway
from dirdet.bench.gateway_cost import WARM_UP as GATEWAY_WARM_UP
from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, Row, latency_table, percentiles_ms, rows_against
from dirdet.bench.telling import command_line, shown, tell
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
# Milliseconds that the gateway may add.
GOALS = {"p50": Goal(at_most=2), "p99": Goal(at_most=5)}


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
    facts: dict[str, object] = {"triton": metadata}
    engines = {name: make_engine(bundle, triton=TritonTarget(triton, name)) for name in chosen}
    try:
        detector = Detector(bundle.manifest, engines[chosen[0]])
        placed = [detector.place(_read(path)) for path in pictures]
        settings = detector.settle(DetectOptions())
        batches = [canvas_batch([each], [settings]) for each in placed]
        if gateway is not None:
            total = rounds + GATEWAY_WARM_UP
            seconds = time_gateway(
                detector, placed[0], batches[0], TritonTarget(triton, chosen[0]), gateway, shown(total, "requests")
            )
            report = _added(seconds, f"One canvas at a time to {chosen[0]}", facts)
            click.echo(f"{latency_table(seconds)}\n")
            tell(report, out)
            return
        found = time_ways(engines, Load(batches, requests, concurrency), shown(rounds + WARM_UP, "rounds"))
    finally:
        for engine in engines.values():
            engine.close()
    facts["latencies_ms"] = {name: percentiles_ms(taken) for name, taken in found.latencies_s.items()}
    what = f"{requests} canvases, {concurrency} at once"
    click.echo(f"{latency_table(found.latencies_s)}\n")
    tell(Report(what, command_line(), machine(PACKAGES), rows_against(found.seconds, chosen[0]), facts), out)


def _added(seconds: Mapping[str, Sequence[float]], what: str, facts: Mapping[str, object]) -> Report:
    figures = {name: percentiles_ms(taken) for name, taken in seconds.items()}
    added = {key: round(figures[GATEWAY][key] - figures[DIRECT][key], 3) for key in figures[DIRECT]}
    rows = [Row(name, taken) for name, taken in seconds.items()]
    rows += [Row(f"the gateway adds at {key}", [added[key]], unit="ms", goal=goal) for key, goal in GOALS.items()]
    return Report(what, command_line(), machine(PACKAGES), rows, {**facts, "latencies_ms": figures, "added_ms": added})


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
