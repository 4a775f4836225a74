"""The options of `dirdet batch` that choose the engine."""

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from dirdet.batch.engines.base import JobEngine
from dirdet.batch.engines.call_retries import PATIENCE_S
from dirdet.bundle.shipped import open_bundle
from dirdet.commands.option_groups import as_one
from dirdet.engines.triton.client import KEY_VARIABLE, read_triton_key
from dirdet.engines.triton.target import TritonTarget
from dirdet.errors import ParameterError
from dirdet.files import read_secret

# Enough that the server always has a next batch, and can join small ones.
IN_FLIGHT = 4


# An option, the option that it needs, and the message if that is missing.
ABOUT = {
    "triton_model": ("triton", "is a model of a Triton server; expected --triton too"),
    "triton_key_file": ("triton", "is the key of a Triton server; expected --triton too"),
    "key_file": ("gateway", "is the key of a gateway; expected --gateway too"),
    "ray_address": ("ray", "is the address of a Ray cluster; expected --engine ray too"),
    "ray_actors": ("ray", "is for a Ray cluster; expected --engine ray too"),
}
# An option that chooses the engine, and the options that it excludes.
ALONE = {"gateway": {"triton", "folder", "ray"}, "triton": {"ray"}}


@dataclass(frozen=True, slots=True)
class EngineFlags:
    """The options as the user typed them."""

    folder: Path | None
    engine: str
    ray_address: str | None
    ray_actors: int | None
    triton: str | None
    triton_model: str | None
    triton_key_file: Path | None
    gateway: str | None
    key_file: Path | None
    in_flight: int
    patience_s: float


engine_options = as_one(
    "computing",
    EngineFlags,
    click.option(
        "--detector", "folder", type=click.Path(path_type=Path),
        help="Folder of a bundle, or scenes or cells, the package's own [scenes].",
    ),
    click.option(
        "--engine", type=click.Choice(["embedded", "ray"]), default="embedded", show_default=True,
        help="Compute in this process, or on a Ray cluster whose nodes have SOURCE and OUT at the same paths.",
    ),
    click.option(
        "--ray-address", metavar="auto|HOST:PORT",
        help="Address of the cluster; auto: the one of this machine. Default: RAY_ADDRESS, or a cluster started here.",
    ),
    click.option(
        "--ray-actors", type=click.IntRange(1),
        help="Copies of the network that compute at once; default: one for each GPU, or for every four CPUs.",
    ),
    click.option(
        "--triton", metavar="HOST:PORT",
        help="Compute on NVIDIA Triton with the models that `dirdet triton` wrote; address of its gRPC endpoint.",
    ),
    click.option("--triton-model", metavar="NAME", help="Name of Triton's model; default: the bundle's ensemble."),
    click.option(
        "--triton-key-file", type=click.Path(path_type=Path), envvar=KEY_VARIABLE, show_envvar=True,
        metavar="FILE", help="File with Triton's key.",
    ),
    click.option(
        "--gateway", metavar="URL",
        help="Send the pictures to a gateway (`dirdet serve`) and use its detector.",
    ),
    click.option(
        "--key-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="File with the gateway's key; default: the environment variable DIRDET_API_KEY.",
    ),
    click.option(
        "--in-flight", type=click.IntRange(1, 64), default=IN_FLIGHT, show_default=True,
        help="Batches sent to Triton, or requests sent to the gateway, at once.",
    ),
    click.option(
        "--patience-s", type=click.FloatRange(0), default=PATIENCE_S, show_default=True,
        help="How long to retry while Triton or the gateway is down or full; then the job stops.",
    ),
)  # fmt: skip


def open_engine(flags: EngineFlags) -> JobEngine:
    """Creates the job's engine; no network is loaded yet.

    Raises:
        ParameterError: options contradict each other; the message names one.
        BundleError: there is no bundle, or it is broken.
        ClientError: the gateway does not answer.
    """
    _check(flags)
    if flags.gateway is not None:
        return _gateway(flags.gateway, flags)
    from dirdet.batch.engines.bundled import EmbeddedJobEngine, TritonJobEngine

    bundle = open_bundle(flags.folder)
    if flags.triton is not None:
        key = read_triton_key(flags.triton_key_file)
        target = TritonTarget(flags.triton, flags.triton_model, key=key)
        return TritonJobEngine(bundle, target, in_flight=flags.in_flight, patience_s=flags.patience_s)
    if flags.engine == "ray":
        from dirdet.batch.engines.ray_engine import RayJobEngine

        return RayJobEngine(bundle, address=flags.ray_address, actors=flags.ray_actors)
    return EmbeddedJobEngine(bundle)


def _check(flags: EngineFlags) -> None:
    """Refuses an option without the option that it needs, and two options that choose the engine."""
    given = {name for name, value in asdict(flags).items() if value is not None}
    if flags.engine == "ray":
        given.add("ray")
    for name, (about, why) in ABOUT.items():
        if name in given and about not in given:
            raise ParameterError(_typed(name), why)
    for name, others in ALONE.items():
        if name in given and (besides := sorted(others & given)):
            raise ParameterError(_typed(name), f"excludes {_typed(besides[0])}")


def _typed(name: str) -> str:
    return {"folder": "--detector", "ray": "--engine ray"}.get(name, f"--{name.replace('_', '-')}")


def _gateway(url: str, flags: EngineFlags) -> JobEngine:
    from dirdet.batch.engines.gateway_engine import GatewayJobEngine

    key = read_key(flags.key_file)
    try:
        return GatewayJobEngine(url, api_key=key, in_flight=flags.in_flight, patience_s=flags.patience_s)
    except ParameterError as exc:
        raise ParameterError("--gateway" if exc.parameter == "base_url" else "--key-file", exc.message) from exc


def read_key(path: Path | None) -> str | None:
    """Reads the gateway's key; None without a file.

    Raises:
        ParameterError: the file cannot be read, or does not hold exactly one word.
    """
    return None if path is None else read_secret(path, option="--key-file")
