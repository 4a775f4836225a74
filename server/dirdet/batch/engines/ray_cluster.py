"""Connects to a Ray cluster, or starts one on this machine, and chooses the job's resources."""

import importlib
import logging
import os
import signal
import socket
import threading
from dataclasses import dataclass
from typing import Any

from dirdet.errors import EngineError, MissingExtraError, ParameterError, install_hint

# CPUs of an actor without a GPU: an inference gains little from more threads.
ACTOR_CPUS = 4
# Reserved beside each actor, so that a reading task can always run.
READ_CPUS = 0.25
CHECK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Share:
    """The cluster's resources that a job uses.

    Attributes:
        actors: copies of the network that compute at once.
        gpus: of each actor.
        cpus: of each actor, for scheduling.
        threads: of an actor's inferences; 0 lets the engine choose.
        read_cpus: of each reading task.
    """

    actors: int
    gpus: int
    cpus: float
    threads: int
    read_cpus: float

    @classmethod
    def of(cls, nodes: "list[dict[str, Any]]", actors: int | None) -> "Share":
        """Chooses by the nodes' resources.

        Args:
            nodes: as `ray.nodes()` lists them.
            actors: their number; None takes one for each GPU, or for every four CPUs.

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
    """Imports Ray or one of its modules.

    Raises:
        MissingExtraError: it is not installed.
    """
    # Turns Ray's usage reports off, unless the user has set the variable.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise MissingExtraError(f"--engine ray needs Ray, which is not installed: {install_hint('ray')}") from exc


def connect(address: str | None) -> Any:  # noqa: ANN401
    """Connects to a cluster and returns the module `ray`.

    Args:
        address: of a cluster; `auto` for the cluster of this machine; None takes RAY_ADDRESS, or else starts a local
            cluster that other machines cannot reach.

    Raises:
        EngineError: there is no such cluster.
        ParameterError: the address is invalid.
        MissingExtraError: Ray is not installed.
    """
    ray = import_ray()
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    if where not in ("auto", "local"):
        _check_listener(where)
    here: dict[str, Any] = {"include_dashboard": False} if where == "local" else {}
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=where, logging_level=logging.ERROR, log_to_driver=False, configure_logging=True, **here)
    except (ConnectionError, ValueError, RuntimeError) as exc:
        raise EngineError(f"no Ray cluster at {where}: {str(exc).splitlines()[0] if str(exc) else exc!r}") from exc
    finally:
        if threading.current_thread() is threading.main_thread():  # Ray replaced the handlers
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return ray


def _check_listener(address: str) -> None:
    """Refuses an address without a listener: Ray would retry for a minute and then end the whole process.

    Raises:
        ParameterError: the address is invalid.
        EngineError: the address does not accept a connection.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ParameterError("--ray-address", f"expected auto or HOST:PORT of a Ray cluster's head, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CHECK_TIMEOUT_S).close()
    except OSError as exc:
        raise EngineError(f"no Ray cluster at {address}: {exc.strerror or exc}") from exc


def import_ray_data() -> Any:  # noqa: ANN401
    """Imports ray.data and limits its log to Ray's own files, since the job reports its progress itself."""
    data = import_ray("ray.data")
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL + 1)
    return data
