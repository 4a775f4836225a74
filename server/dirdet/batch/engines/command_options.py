"""The options of `dirdet batch` that say what computes, and what they mean together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from dirdet.batch.engines.base import JobEngine
from dirdet.batch.engines.patience import PATIENCE_S
from dirdet.engines.triton_target import TritonTarget
from dirdet.errors import ParameterError
from dirdet.shipped import open_bundle

F = TypeVar("F", bound=Callable[..., Any])

# So many that the server has the next one when it ends with one, and can join small ones.
IN_FLIGHT = 4


# An option, the one that it is about, and what to say where that is missing.
ABOUT = {
    "triton_model": ("triton", "says which model of a Triton; --triton says which Triton"),
    "key_file": ("gateway", "is shown to a gateway; --gateway says which"),
    "ray_address": ("ray", "says which Ray cluster; --engine ray computes on one"),
    "ray_actors": ("ray", "is about a Ray cluster; --engine ray computes on one"),
}
# What computes, and what it goes without.
ALONE = {"gateway": {"triton", "folder", "ray"}, "triton": {"ray"}}


class EngineValues(TypedDict):
    """The options' values."""

    folder: Path | None
    engine: str
    ray_address: str | None
    ray_actors: int | None
    triton: str | None
    triton_model: str | None
    gateway: str | None
    key_file: Path | None
    in_flight: int
    patience_s: float


def engine_options(command: F) -> F:
    """Adds the options."""
    for option in reversed(
        (
            click.option(
                "--detector", "folder", type=click.Path(path_type=Path),
                help="Folder of a bundle; the one that comes with the package unless given.",
            ),
            click.option(
                "--engine", type=click.Choice(["embedded", "ray"]), default="embedded", show_default=True,
                help="Compute in this process, or on a Ray cluster, which sees SOURCE and OUT under the same paths.",
            ),
            click.option(
                "--ray-address", metavar="auto|HOST:PORT",
                help="The cluster that this machine is a node of; RAY_ADDRESS, or one begun here, unless given.",
            ),
            click.option(
                "--ray-actors", type=click.IntRange(1),
                help="Networks that compute at once; one a GPU, or one for every four CPUs, unless given.",
            ),
            click.option(
                "--triton", metavar="HOST:PORT",
                help="Compute on NVIDIA Triton, at its gRPC endpoint, where `dirdet triton` put the detector's models.",
            ),
            click.option("--triton-model", metavar="NAME", help="Triton's model; the bundle's ensemble unless given."),
            click.option(
                "--gateway", metavar="URL",
                help="Send the pictures to a gateway (`dirdet serve`), and take its detector.",
            ),
            click.option(
                "--key-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
                help="File with the key that the gateway asks for; DIRDET_API_KEY unless given.",
            ),
            click.option(
                "--in-flight", type=click.IntRange(1, 64), default=IN_FLIGHT, show_default=True,
                help="Batches that Triton, or requests that the gateway, is given at once.",
            ),
            click.option(
                "--patience-s", type=click.FloatRange(0), default=PATIENCE_S, show_default=True,
                help="How long a Triton or gateway that is down or full is tried again; then the job stops.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def open_engine(values: EngineValues) -> JobEngine:
    """What computes; no network is loaded yet.

    Raises:
        ParameterError: the options contradict each other; names one.
        BundleError: no bundle, or a broken one.
        ClientError: the gateway does not answer.
    """
    _check(values)
    remote: dict[str, Any] = {"in_flight": values["in_flight"], "patience_s": values["patience_s"]}
    if values["gateway"] is not None:
        return _gateway(values["gateway"], values["key_file"], remote)
    from dirdet.batch.engines.bundled import EmbeddedJobEngine, TritonJobEngine

    bundle = open_bundle(values["folder"])
    if values["triton"] is not None:
        return TritonJobEngine(bundle, TritonTarget(values["triton"], values["triton_model"]), **remote)
    if values["engine"] == "ray":
        from dirdet.batch.engines.ray_engine import RayJobEngine

        return RayJobEngine(bundle, address=values["ray_address"], actors=values["ray_actors"])
    return EmbeddedJobEngine(bundle)


def _check(values: EngineValues) -> None:
    """Refuses an option without the one that it is about, and two that say what computes."""
    given = {name for name, value in values.items() if value is not None}
    if values["engine"] == "ray":
        given.add("ray")
    for name, (about, why) in ABOUT.items():
        if name in given and about not in given:
            raise ParameterError(_typed(name), why)
    for name, others in ALONE.items():
        if name in given and (besides := sorted(others & given)):
            raise ParameterError(_typed(name), f"computes elsewhere; leave out {_typed(besides[0])}")


def _typed(name: str) -> str:
    return {"folder": "--detector", "ray": "--engine ray"}.get(name, f"--{name.replace('_', '-')}")


def _gateway(url: str, key_file: Path | None, remote: dict[str, Any]) -> JobEngine:
    from dirdet.batch.engines.gateway_engine import GatewayJobEngine

    key = read_key(key_file)
    try:
        return GatewayJobEngine(url, api_key=key, **remote)
    except ParameterError as exc:
        raise ParameterError("--gateway" if exc.parameter == "base_url" else "--key-file", exc.message) from exc


def read_key(path: Path | None) -> str | None:
    """The key in a file, which keeps it out of the list of processes.

    Raises:
        ParameterError: it has none, or several lines.
    """
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as exc:
        raise ParameterError("--key-file", f"{path} cannot be read as a key: {exc}") from exc
    if len(lines) != 1:
        raise ParameterError("--key-file", f"expected one key in {path}, found {len(lines)} words")
    return lines[0]
