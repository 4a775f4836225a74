"""Serves a detector over HTTP, in this process or before NVIDIA Triton."""

import logging
import os
import signal
import socket
import tempfile
from functools import partial
from typing import Any, cast

import click

from dirdet.access.command_options import AccessValues, read_access, refuse_unguarded
from dirdet.access.log_filter import keep_keys_out
from dirdet.app import app_over
from dirdet.bundle import Bundle
from dirdet.commands.serve_options import ServeSettings, read_settings, serve_options
from dirdet.detector import Detector
from dirdet.drain import Drain
from dirdet.engines.factory import make_engine
from dirdet.errors import ListenError, ParameterError
from dirdet.running import AppServer, leave
from dirdet.served import ServedDetector
from dirdet.service import DetectionService
from dirdet.shipped import open_bundle
from dirdet.telemetry.logs import configure_logging
from dirdet.telemetry.metrics import Metrics, share_between_processes, worker_ended
from dirdet.workers import Workers

log = logging.getLogger(__name__)


@click.command()
@serve_options
def command(**options: Any) -> None:  # noqa: ANN401 - see read_settings and AccessValues
    """Serves a detector over HTTP until Ctrl-C, which lets it finish what it has accepted; a second one does not."""
    access_values = cast(AccessValues, {name: options.pop(name) for name in AccessValues.__annotations__})
    settings = read_settings(access=read_access(access_values), **options)
    configure_logging(settings.log_format, several=settings.workers > 1)
    keep_keys_out()
    # As Ctrl-C does, until the server listens to signals.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # First: a port in use should be told before a network is loaded.
        with listen(settings.host, settings.port) as listener:
            host, port = listener.getsockname()[:2]
            refuse_unguarded(settings.access, bound=host)
            bundle = open_bundle(settings.folder)
            address = f"{settings.access.scheme}://{_in_url(host)}:{port}"
            log.info("listening on %s (documentation at /docs)", address)
            if settings.workers > 1:
                with tempfile.TemporaryDirectory(prefix="dirdet-metrics-") as shared:
                    share_between_processes(shared)
                    Workers(settings.workers, partial(serve, bundle, settings, listener), ended=worker_ended).run()
            else:
                serve(bundle, settings, listener)
    except KeyboardInterrupt:
        pass
    log.info("stopped")


def serve(bundle: Bundle, settings: ServeSettings, listener: socket.socket) -> None:
    """Serves a bundle on a socket until a signal.

    Raises:
        DirdetError: the detector cannot be loaded.
    """
    metrics, drain = Metrics(), Drain()
    service = DetectionService(settings.limits, metrics)

    def load() -> None:
        engine = make_engine(bundle, triton=settings.triton, threads=settings.inference_threads)
        detector = Detector(bundle.manifest, engine, model_card=bundle.model_card())
        served = ServedDetector(detector, settings.limits, metrics)
        served.warm_up()
        ready = engine.ready()
        if settings.triton is not None:
            log.info("engine: Triton at %s, %s", settings.triton.address, "ready" if ready else "not ready yet")
        manifest = bundle.manifest
        log.info("detector: %s (%s), %d classes", manifest.name, manifest.architecture, len(manifest.categories))
        service.serve(served)
        log.info("ready" if ready else "waiting for the engine")

    AppServer(
        app_over(service, drain, access=settings.access, metrics=metrics),
        drain,
        listener=listener,
        drain_timeout_s=settings.drain_timeout_s,
        uvicorn_settings=settings.access.uvicorn_settings(),
    ).run(load)
    if service.busy:
        log.warning("stopped in the middle of work that nobody waits for any more")
        leave(0)  # a thread cannot be ended, and one inside of ONNX Runtime would take the process down


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
