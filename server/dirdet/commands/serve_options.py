"""The options of `dirdet serve`, in groups, and the settings that they give together."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dirdet.bundle.sources import DetectorSource
from dirdet.commands.access_options import access_options
from dirdet.commands.option_groups import as_one
from dirdet.engines.cores import decoding_threads, decoding_threads_of_each, inferences_beside, usable_cores
from dirdet.engines.tensors import MAX_BATCH
from dirdet.engines.triton.client import KEY_OPTION, KEY_VARIABLE, read_triton_key
from dirdet.engines.triton.target import TritonTarget
from dirdet.errors import ParameterError
from dirdet.gateway.access.settings import Access
from dirdet.gateway.scheduling.server_limits import (
    MAX_BATCH_DELAY_S,
    MAX_QUEUE,
    MAX_QUEUE_BYTES,
    MAX_TILES,
    MAX_TIMEOUT_S,
    TIMEOUT_S,
    ServerLimits,
)
from dirdet.gateway.telemetry.log_format import LogFormat

DRAIN_TIMEOUT_S = 30.0
# Requests that wait for Triton at once: enough for it to batch them, few enough to bound this process's memory.
REMOTE_INFERENCES = 32


class _Number(click.FloatRange):
    """A number in a range; unlike click's own, it refuses NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


# One day; a longer time is taken for a mistake.
_SECONDS = _Number(min=0, max=86_400, min_open=True)


@dataclass(frozen=True, slots=True)
class ServeFlags:
    """The options as the user typed them, without the access options."""

    host: str
    port: int
    detectors: tuple[str, ...]
    inference_threads: int | None
    decoders: int | None
    triton: str | None
    triton_model: str | None
    triton_shared_memory: bool
    triton_key_file: Path | None
    workers: int
    max_batch: int
    inferences: int | None
    max_batch_delay_ms: float
    timeout_s: float
    max_timeout_s: float
    max_queue: int
    max_queue_bytes: int
    max_tiles: int
    drain_timeout_s: float
    log_format: LogFormat


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Settings of `dirdet serve`.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        detectors: the bundles to serve, the default one first; at least one.
        triton: the Triton server that computes; None computes in this process.
        inference_threads: of the engine in this process; 0 lets the engine choose.
        limits: of a request, and of all requests together.
        drain_timeout_s: longest time from the signal to the end of the process.
        workers: processes that share the port.
        access: keys, hosts, TLS and proxies.
        log_format: of the log.
    """

    host: str
    port: int
    detectors: tuple[DetectorSource, ...]
    triton: TritonTarget | None
    inference_threads: int
    limits: ServerLimits
    drain_timeout_s: float
    workers: int
    access: Access
    log_format: LogFormat


def _bytes_of_mib(_: click.Context, __: click.Parameter, value: int) -> int:
    return value * 2**20


LISTEN_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0: all of them."),
    click.option(
        "--port", default=8000, show_default=True, envvar="PORT", show_envvar=True, type=click.IntRange(0, 65535),
        help="Port to listen on; 0 takes a free one.",
    ),
)  # fmt: skip

DETECTOR_OPTIONS = (
    click.option(
        "--detector", "detectors", multiple=True, metavar="[NAME=]PATH",
        help="Folder of a bundle, or scenes or cells, the package's own; and its name in the API (default: the "
        "bundle's name); repeatable, the first is the default detector [scenes].",
    ),
    click.option(
        "--inference-threads", type=click.IntRange(min=1), default=None,
        help="Threads of one inference in this process; default: one for each core.",
    ),
    click.option(
        "--decoding-threads", "decoders", type=click.IntRange(min=1), default=None,
        help="Threads that decode and draw; default: a quarter of the cores; with --triton all of them, or twice a "
        "process's share.",
    ),
)  # fmt: skip

TRITON_OPTIONS = (
    click.option(
        "--triton", metavar="HOST:PORT",
        help="Compute on NVIDIA Triton with the models that `dirdet triton` wrote; address of its gRPC endpoint.",
    ),
    click.option("--triton-model", metavar="NAME", help="Name of Triton's model; default: the bundle's ensemble."),
    click.option(
        "--triton-shared-memory", is_flag=True,
        help="Pass canvases through this machine's shared memory, to which Triton needs access.",
    ),
    click.option(
        "--triton-key-file", type=click.Path(path_type=Path), envvar=KEY_VARIABLE, show_envvar=True, metavar="FILE",
        help="File with Triton's key (--grpc-restricted-protocol), sent with every call.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=1), default=1, show_default=True,
        help="Processes that share the port; more than one needs --triton, since an engine here uses all cores.",
    ),
)  # fmt: skip

BATCH_OPTIONS = (
    click.option(
        "--max-batch", type=click.IntRange(min=1), default=MAX_BATCH, show_default=True,
        help="Most pictures of one inference in this process.",
    ),
    click.option(
        "--inferences", type=click.IntRange(min=1), default=None,
        help="Concurrent inferences in this process while many pictures wait; each gets its share of the cores and of "
        "--max-batch. Default: one for each inference thread, at most --max-batch.",
    ),
    click.option(
        "--max-batch-delay-ms", type=_Number(min=0, max=1000), default=1000 * MAX_BATCH_DELAY_S, show_default=True,
        help="Longest time that a picture waits for others that are being decoded while the engine is idle.",
    ),
)  # fmt: skip

LOAD_OPTIONS = (
    click.option(
        "--timeout-s", type=_SECONDS, default=TIMEOUT_S, show_default=True,
        help="Longest time of a request, including the upload; a later answer is 504.",
    ),
    click.option(
        "--max-timeout-s", type=_SECONDS, default=MAX_TIMEOUT_S, show_default=True,
        help="Longest time that a request may ask for by its header X-Request-Timeout-Ms.",
    ),
    click.option(
        "--max-queue", type=click.IntRange(min=1), default=MAX_QUEUE, show_default=True,
        help="Most pictures under way, waiting ones included; further requests get 503.",
    ),
    click.option(
        "--max-queue-mib", "max_queue_bytes", type=click.IntRange(min=1), default=MAX_QUEUE_BYTES // 2**20,
        show_default=True, callback=_bytes_of_mib,
        help="Most MiB of request bodies under way; further requests get 503.",
    ),
    click.option(
        "--max-tiles", type=click.IntRange(min=1), default=MAX_TILES, show_default=True,
        help="Most tiles of a request that cuts its pictures; further ones get 422.",
    ),
    click.option(
        "--drain-timeout-s", type=_SECONDS, default=DRAIN_TIMEOUT_S, show_default=True,
        help="Longest time for requests under way to end after the signal to stop.",
    ),
)  # fmt: skip

LOG_OPTIONS = (
    click.option(
        "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
        envvar="DIRDET_LOG_FORMAT", show_envvar=True, help="Format of the log: text for people, json for machines.",
    ),
)  # fmt: skip

serve_options = as_one(
    "flags",
    ServeFlags,
    *LISTEN_OPTIONS,
    access_options,
    *DETECTOR_OPTIONS,
    *TRITON_OPTIONS,
    *BATCH_OPTIONS,
    *LOAD_OPTIONS,
    *LOG_OPTIONS,
)


def read_settings(flags: ServeFlags, access: Access) -> ServeSettings:
    """Checks the options together and reads the files that they name.

    Raises:
        ParameterError: options contradict each other; the message names one.
    """
    if flags.triton is None and flags.triton_model is not None:
        raise ParameterError("--triton-model", "is a model of a Triton server; expected --triton too")
    if flags.triton is None and flags.triton_shared_memory:
        raise ParameterError("--triton-shared-memory", "is for a Triton server; expected --triton too")
    if flags.triton is None and flags.triton_key_file is not None:
        raise ParameterError(KEY_OPTION, "is the key of a Triton server; expected --triton too")
    if flags.triton is None and flags.workers > 1:
        raise ParameterError(
            "--workers",
            f"{flags.workers} processes need --triton; otherwise each would load the detector, and they would compete "
            "for the cores",
        )
    if flags.triton_model is not None and len(flags.detectors) > 1:
        raise ParameterError(
            "--triton-model",
            f"names one model for {len(flags.detectors)} detectors; without it each detector uses its own model",
        )
    cores, threads = usable_cores(), flags.inference_threads
    if flags.triton is None:
        triton, decoders = None, decoding_threads(cores)
        inferences = flags.inferences or inferences_beside(threads or cores, max_batch=flags.max_batch)
    else:
        key = read_triton_key(flags.triton_key_file)
        triton = TritonTarget(flags.triton, flags.triton_model, flags.triton_shared_memory, key)
        decoders, inferences = decoding_threads_of_each(cores, processes=flags.workers), REMOTE_INFERENCES
    return ServeSettings(
        host=flags.host,
        port=flags.port,
        detectors=tuple(DetectorSource.parse(text, option="--detector") for text in flags.detectors)
        or (DetectorSource(),),
        triton=triton,
        inference_threads=threads or 0,
        limits=ServerLimits(
            decoders=flags.decoders or decoders,
            inferences=inferences,
            max_batch=flags.max_batch,
            max_batch_delay_s=flags.max_batch_delay_ms / 1000,
            timeout_s=flags.timeout_s,
            max_timeout_s=flags.max_timeout_s,
            max_queue=flags.max_queue,
            max_queue_bytes=flags.max_queue_bytes,
            max_tiles=flags.max_tiles,
        ),
        drain_timeout_s=flags.drain_timeout_s,
        workers=flags.workers,
        access=access,
        log_format=flags.log_format,
    )
