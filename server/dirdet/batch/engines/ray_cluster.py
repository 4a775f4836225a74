"""A Ray cluster: connected to, or begun on this machine, and what of it a job takes."""

import importlib
import logging
import os
import signal
import socket
import threading
from dataclasses import dataclass
from typing import Any

from dirdet.errors import EngineError, MissingExtraError, ParameterError, install_hint

# Of an actor without a GPU: with more threads an inference gains little.
ACTOR_CPUS = 4
# Beside an actor there is always room to read for it.
READ_CPUS = 0.25
KNOCK_S = 5.0


@dataclass(frozen=True, slots=True)
class Share:
    """What of the cluster a job takes.

    Attributes:
        actors: networks that compute at once.
        gpus: of each.
        cpus: of each, scheduled.
        threads: of its inferences; 0 lets the engine choose.
        read_cpus: of each task that reads.
    """

    actors: int
    gpus: int
    cpus: float
    threads: int
    read_cpus: float

    @classmethod
    def of(cls, nodes: "list[dict[str, Any]]", actors: int | None) -> "Share":
        """By what the nodes have.

        Args:
            nodes: as `ray.nodes()` lists them.
            actors: as many as asked for; else one a GPU, or one for every four CPUs.

        Raises:
            EngineError: no node has a CPU.
        """
        alive = [node["Resources"] for node in nodes if node["Alive"]]
        gpus = int(sum(resources.get("GPU", 0) for resources in alive))
        if gpus:
            return cls(actors or gpus, gpus=1, cpus=0, threads=0, read_cpus=1)
        cpus = [int(resources.get("CPU", 0)) for resources in alive]
        usable = [count for count in cpus if count]
        if not usable:
            raise EngineError("no node of the Ray cluster has a CPU or GPU to compute with")
        each = min(ACTOR_CPUS, *usable)
        most = sum(count // each for count in usable)
        return cls(actors or most, gpus=0, cpus=each - READ_CPUS, threads=each, read_cpus=READ_CPUS)


def import_ray(module: str = "ray") -> Any:  # noqa: ANN401 - imported when asked for
    """Ray, or a module of it.

    Raises:
        MissingExtraError: it is not installed.
    """
    # It reports nothing about its users from here, unless they want it to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise MissingExtraError(f"--engine ray needs Ray, which is not installed: {install_hint('ray')}") from exc


def connect(address: str | None) -> Any:  # noqa: ANN401
    """Ray, connected.

    Args:
        address: of a cluster, `auto` for the one that this machine is a node of; None begins one here, which nobody
            else reaches, unless RAY_ADDRESS names one.

    Raises:
        EngineError: there is no such cluster.
        ParameterError: the address is none.
        MissingExtraError: Ray is not installed.
    """
    ray = import_ray()
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    if where not in ("auto", "local"):
        _knock(where)
    here: dict[str, Any] = {"include_dashboard": False} if where == "local" else {}
    heard = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=where, logging_level=logging.ERROR, log_to_driver=False, configure_logging=True, **here)
    except (ConnectionError, ValueError, RuntimeError) as exc:
        raise EngineError(f"no Ray cluster at {where}: {str(exc).splitlines()[0] if str(exc) else exc!r}") from exc
    finally:
        if threading.current_thread() is threading.main_thread():  # Ray listens to signals, and so does the job
            for number, handler in heard.items():
                signal.signal(number, handler)
    return ray


def _knock(address: str) -> None:
    """Refuses an address at which nobody is: Ray tries for a minute, and then ends the whole process.

    Raises:
        ParameterError: it is no address.
        EngineError: nobody is there.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ParameterError("--ray-address", f"expected auto or HOST:PORT of a Ray cluster's head, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()
    except OSError as exc:
        raise EngineError(f"no Ray cluster at {address}: {exc.strerror or exc}") from exc


def import_ray_data() -> Any:  # noqa: ANN401
    """ray.data, which then logs into Ray's own files only: a job tells of its progress and its end itself."""
    data = import_ray("ray.data")
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL + 1)
    return data
