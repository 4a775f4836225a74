"""Serves a detector over HTTP, in this process."""

import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Unpack

import click
import uvicorn

from dirdet.access.command_options import AccessValues, access_options, read_access, refuse_unguarded
from dirdet.access.log_filter import keep_keys_out
from dirdet.app import create_app
from dirdet.detector import Detector
from dirdet.engines.factory import make_engine
from dirdet.engines.triton_target import TritonTarget
from dirdet.errors import ListenError, ParameterError
from dirdet.limits import DEADLINE_S, ServerLimits
from dirdet.shipped import open_bundle

log = logging.getLogger(__name__)

# Seconds that requests under way have to end once the server is told to stop.
SHUTDOWN_S = 10
# Requests that wait for Triton at once: enough for it to join them, few enough to bound this process's memory.
REMOTE_INFERENCES = 32


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one.")
@click.option(
    "--port", default=8000, show_default=True, envvar="PORT", show_envvar=True, type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)  # fmt: skip
@click.option(
    "--detector", "folder", type=click.Path(path_type=Path), default=None,
    help="Folder of a bundle; the one that comes with the package unless given.",
)  # fmt: skip
@click.option(
    "--triton", metavar="HOST:PORT",
    help="Detect on NVIDIA Triton, at its gRPC endpoint, where `dirdet triton` put the detector's models.",
)  # fmt: skip
@click.option("--triton-model", metavar="NAME", help="Triton's model; the bundle's ensemble unless given.")
@click.option(
    "--triton-shared-memory", is_flag=True,
    help="Hand canvases over in this machine's shared memory, which Triton must see too.",
)  # fmt: skip
@click.option(
    "--triton-deadline", type=click.FloatRange(min=0, min_open=True), default=DEADLINE_S,
    show_default=True, metavar="SECONDS", help="Time in which Triton has to answer a request; then it gets 504.",
)  # fmt: skip
@access_options
def command(
    *,
    host: str,
    port: int,
    folder: Path | None,
    triton: str | None,
    triton_model: str | None,
    triton_shared_memory: bool,
    triton_deadline: float,
    **access_values: Unpack[AccessValues],
) -> None:
    """Serves a detector over HTTP until Ctrl-C."""
    if triton is None and triton_model is not None:
        raise ParameterError("--triton-model", "says which model of a Triton; --triton says which Triton")
    if triton is None and triton_shared_memory:
        raise ParameterError("--triton-shared-memory", "is shared with a Triton; --triton says which")
    target = None if triton is None else TritonTarget(triton, triton_model, triton_shared_memory)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    keep_keys_out()
    # As Ctrl-C does; also before uvicorn listens to signals, and when it raises them again at the end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    access = read_access(access_values)
    try:
        listener = listen(host, port)  # first: a port in use should be told before a network is loaded
        with listener:
            refuse_unguarded(access, bound=listener.getsockname()[0])
            bundle = open_bundle(folder)
            detector = Detector(bundle.manifest, make_engine(bundle, triton=target), model_card=bundle.model_card())
            limits = ServerLimits()
            if target is None:
                detector.warm_up()
            else:
                limits = ServerLimits(inferences=REMOTE_INFERENCES, deadline_s=triton_deadline)
                log.info("engine: Triton at %s, %s", triton, "ready" if detector.engine.ready() else "not ready yet")
            manifest = detector.manifest
            log.info("detector: %s (%s), %d classes", manifest.name, manifest.architecture, len(manifest.categories))
            config = uvicorn.Config(
                create_app(detector, limits=limits, access=access),
                log_config=None,
                timeout_graceful_shutdown=SHUTDOWN_S,
                **access.uvicorn_settings(),
            )
            bound_host, bound_port = listener.getsockname()[:2]
            address = f"{access.scheme}://{_in_url(bound_host)}:{bound_port}"
            log.info("listening on %s (documentation at /docs)", address)
            uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    log.info("stopped")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address.

    Raises:
        ParameterError: the host is no address.
        ListenError: the port is in use, or the address is not this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as exc:
        raise ParameterError("--host", f"{host!r} is no address: {exc.strerror or exc}") from exc
    try:
        listener = socket.create_server(address[:2], family=family, backlog=2048)  # pyright: ignore[reportArgumentType]
    except OSError as exc:
        raise ListenError(f"--port: cannot listen on {host} port {port}: {os.strerror(exc.errno or 0)}") from exc
    # asyncio does this for sockets that it makes itself. Connections take it over; without it an answer's body waits
    # until the client has acknowledged the head, which it delays by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
