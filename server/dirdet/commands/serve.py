"""Serves a detector over HTTP, in this process or before NVIDIA Triton."""

import errno
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import click

from dirdet.access.command_options import AccessValues, read_access, refuse_unguarded
from dirdet.access.log_filter import keep_keys_out
from dirdet.app import app_over
from dirdet.commands.serve_options import ServeSettings, read_settings, serve_options
from dirdet.detector_source import NamedBundle, open_all
from dirdet.drain import Drain
from dirdet.errors import ListenError, ParameterError
from dirdet.loading import Loader
from dirdet.reloading import Reloader
from dirdet.running import AppServer, leave
from dirdet.service import DetectionService
from dirdet.shadow.loading import CandidateBundle, load_shadow, open_candidates
from dirdet.telemetry.logs import configure_logging
from dirdet.telemetry.metrics import Metrics, share_between_processes, worker_ended
from dirdet.workers import Workers

log = logging.getLogger(__name__)

# Of a connection's answers in the system's own buffer, what is on its way not counted.
MOST_NOT_SENT_BYTES = 128 * 1024
SEVERAL_PROCESSES = (
    "a request reaches one of the {} processes (--workers), and the others would go on with the detector before; start "
    "the server anew"
)


@click.command()
@serve_options
def command(**options: Any) -> None:  # noqa: ANN401 - see read_settings and AccessValues
    """Serves a detector over HTTP until Ctrl-C, which lets it finish what it has accepted; a second one does not."""
    access_values = cast(AccessValues, {name: options.pop(name) for name in AccessValues.__annotations__})
    configure_logging(options["log_format"], several=options["workers"] > 1)
    keep_keys_out()
    settings = read_settings(access=read_access(access_values), **options)
    # As Ctrl-C does, until the server listens to signals.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # First: a port in use should be told before a network is loaded.
        with listen(settings.host, settings.port) as listener:
            host, port = listener.getsockname()[:2]
            refuse_unguarded(settings.access, bound=host)
            bundles = open_all(settings.detectors)
            candidates = open_candidates(settings.shadows, bundles, triton=settings.triton)
            address = f"{settings.access.scheme}://{_in_url(host)}:{port}"
            log.info("listening on %s (documentation at /docs)", address)
            if settings.workers > 1:
                with tempfile.TemporaryDirectory(prefix="dirdet-metrics-") as shared:
                    share_between_processes(shared)
                    work = partial(serve, bundles, candidates, settings, listener)
                    Workers(settings.workers, work, ended=worker_ended).run()
            else:
                serve(bundles, candidates, settings, listener)
    except KeyboardInterrupt:
        pass
    log.info("stopped")


def serve(
    bundles: Sequence[NamedBundle],
    candidates: Sequence[CandidateBundle],
    settings: ServeSettings,
    listener: socket.socket,
) -> None:
    """Serves bundles, the default one first, and candidates beside them, on a socket until a signal.

    Raises:
        DirdetError: a detector cannot be loaded.
    """
    metrics, drain = Metrics(), Drain()
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
        for each in candidates:
            shadow = load_shadow(
                each, service, share=settings.shadow_share, triton=settings.triton, threads=settings.inference_threads
            )
            service.shadows.begin([shadow])
        service.serve(*loaded)
        log.info("ready" if ready else "waiting for the engine")

    AppServer(
        app_over(service, drain, access=settings.access, metrics=metrics, reloader=reloader),
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
        hint = "; another by --port or PORT, a free one by --port 0" if exc.errno == errno.EADDRINUSE else ""
        raise ListenError(f"--port: cannot listen on {host} port {port}: {os.strerror(exc.errno or 0)}{hint}") from exc
    # asyncio does this for sockets that it makes itself. Connections take it over; without it an answer's body waits
    # until the client has acknowledged the head, which it delays by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # The system takes no more than it can send soon, so that it is seen whether a client reads.
        with suppress(OSError):  # not every system that has the name knows it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_NOT_SENT_BYTES)
    return listener


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
