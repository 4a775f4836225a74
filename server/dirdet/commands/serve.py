"""Serves a detector over HTTP, with the engine in this process or on NVIDIA Triton."""

import errno
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from prometheus_client import multiprocess, values

from dirdet.bundle.sources import NamedBundle, open_all
from dirdet.commands.access_options import AccessFlags, read_access, refuse_unguarded
from dirdet.commands.serve_options import ServeFlags, ServeSettings, read_settings, serve_options
from dirdet.errors import ListenError, ParameterError
from dirdet.gateway.access.log_redaction import keep_keys_out
from dirdet.gateway.app import app_over
from dirdet.gateway.http.graceful_shutdown import Drain
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.gateway.service.detector_loader import Loader
from dirdet.gateway.service.detector_reloader import Reloader
from dirdet.gateway.telemetry.log_format import configure_logging
from dirdet.gateway.telemetry.metrics import Metrics
from dirdet.gateway.wire.server import AppServer, leave
from dirdet.gateway.wire.worker_processes import Workers

log = logging.getLogger(__name__)

SEVERAL_PROCESSES = (
    "a request reaches only one of the {} processes (--workers), and the others would keep the previous detector; "
    "restart the server"
)


@click.command()
@serve_options
def command(flags: ServeFlags, access: AccessFlags) -> None:
    """Serves a detector over HTTP until Ctrl-C; accepted requests are still answered. A second Ctrl-C ends at once."""
    configure_logging(flags.log_format, several=flags.workers > 1)
    keep_keys_out()
    settings = read_settings(flags, read_access(access))
    # SIGTERM acts as Ctrl-C until the server installs its own handlers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Listens first, so that a port in use is reported before a network is loaded.
        with listen(settings.host, settings.port) as listener:
            host, port = listener.getsockname()[:2]
            refuse_unguarded(settings.access, bound=host)
            bundles = open_all(settings.detectors)
            address = f"{settings.access.scheme}://{_in_url(host)}:{port}"
            log.info("listening on %s (the page: %s/, the API: %s/docs)", address, address, address)
            if settings.workers > 1:
                with tempfile.TemporaryDirectory(prefix="dirdet-metrics-") as shared:
                    _share_metrics(shared)
                    work = partial(serve, bundles, settings, shared=Path(shared))
                    # Removes the gauges of a worker that ended; its counters stay.
                    ended = partial(multiprocess.mark_process_dead, path=shared)  # pyright: ignore[reportUnknownMemberType]
                    Workers(settings.workers, work, listener=listener, ended=ended).run()
            else:
                serve(bundles, settings, listener)
    except KeyboardInterrupt:
        pass
    log.info("stopped")


def serve(
    bundles: Sequence[NamedBundle], settings: ServeSettings, listener: socket.socket, *, shared: Path | None = None
) -> None:
    """Serves bundles on a socket until a signal.

    Args:
        bundles: the default one first.
        settings: of the server.
        listener: a listening socket; of one of several processes, the channel that its connections come over.
        shared: folder for the metrics of several processes.

    Raises:
        DirdetError: a detector cannot be loaded.
    """
    metrics, drain = Metrics(shared=shared), Drain()
    service = DetectionService(settings.limits, metrics)

    loader = Loader(service, triton=settings.triton, threads=settings.inference_threads, several=len(bundles) > 1)
    reloader = Reloader(service, loader, bundles)
    if settings.workers > 1:
        reloader = Reloader(service, refusal=SEVERAL_PROCESSES.format(settings.workers))

    def load() -> None:
        loaded = [loader.load(named) for named in bundles]
        for served in loaded:
            served.warm_up()
        ready = all(served.detector.engine.ready() for served in loaded)
        if settings.triton is not None:
            log.info("engine: Triton at %s, %s", settings.triton.address, "ready" if ready else "not ready yet")
        service.serve(*loaded)
        log.info("ready" if ready else "waiting for the engine")

    AppServer(
        app_over(service, drain, access=settings.access, metrics=metrics, reloader=reloader),
        drain,
        listener=listener,
        handed=shared is not None,
        drain_timeout_s=settings.drain_timeout_s,
        uvicorn_settings=settings.access.uvicorn_settings(),
    ).run(load)
    if service.busy:
        log.warning("stopped during an inference for requests that have ended")
        leave(0)  # A thread cannot be stopped, and one inside ONNX Runtime would crash the process.


def _share_metrics(folder: str) -> None:
    """Makes prometheus_client keep the metrics of several processes in a folder; call it before the fork."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    # prometheus_client does this itself only if the variable is set before its import.
    values.ValueClass = values.MultiProcessValue()  # pyright: ignore[reportUnknownMemberType]


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address.

    Raises:
        ParameterError: the host is not an address.
        ListenError: the port is in use, or the address does not belong to this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as exc:
        raise ParameterError("--host", f"{host!r} is not an address: {exc.strerror or exc}") from exc
    try:
        listener = socket.create_server(address[:2], family=family, backlog=2048)  # pyright: ignore[reportArgumentType]
    except OSError as exc:
        hint = (
            "; choose another with --port or PORT, or a free one with --port 0" if exc.errno == errno.EADDRINUSE else ""
        )
        raise ListenError(f"--port: cannot listen on {host} port {port}: {os.strerror(exc.errno or 0)}{hint}") from exc
    # asyncio sets this on sockets that it creates itself, and connections inherit it. Without it an answer's body waits
    # until the client acknowledges the head, which clients delay by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
