"""The options of `dirdet serve` in groups, and what they mean together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from dirdet.access.command_options import access_options
from dirdet.access.settings import Access
from dirdet.cores import decoding_threads, inferences_beside, usable_cores
from dirdet.detector import MAX_BATCH
from dirdet.detector_source import DetectorSource
from dirdet.engines.triton_target import TritonTarget
from dirdet.errors import ParameterError
from dirdet.limits import MAX_BATCH_DELAY_S, MAX_QUEUE, MAX_QUEUE_BYTES, MAX_TIMEOUT_S, TIMEOUT_S, ServerLimits
from dirdet.telemetry.logs import LogFormat

F = TypeVar("F", bound=Callable[..., Any])

DRAIN_TIMEOUT_S = 30.0
# Requests that wait for Triton at once: enough for it to join them, few enough to bound this process's memory.
REMOTE_INFERENCES = 32
SHADOW_SHARE = 0.1


class _Number(click.FloatRange):
    """A number in a range; unlike click's own, without NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


# A day: what is longer is a slip of the keyboard.
_SECONDS = _Number(min=0, max=86_400, min_open=True)


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What `dirdet serve` was told.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        detectors: what is served, the default one first; at least one.
        shadows: candidates beside them.
        shadow_share: of the requests, what they compute.
        triton: the Triton to detect on; None is this process.
        inference_threads: of the engine in this process; 0 lets it choose.
        limits: of requests, and of all of them together.
        drain_timeout_s: from the signal to the end of the process.
        workers: processes that share the port.
        access: who is let in.
        log_format: of the log.
    """

    host: str
    port: int
    detectors: tuple[DetectorSource, ...]
    shadows: tuple[DetectorSource, ...]
    shadow_share: float
    triton: TritonTarget | None
    inference_threads: int
    limits: ServerLimits
    drain_timeout_s: float
    workers: int
    access: Access
    log_format: LogFormat


def _group(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, which `--help` shows in this order."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _bytes_of_mib(_: click.Context, __: click.Parameter, value: int) -> int:
    return value * 2**20


listen_options = _group(
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one."),
    click.option(
        "--port", default=8000, show_default=True, envvar="PORT", show_envvar=True, type=click.IntRange(0, 65535),
        help="Port to listen on; 0 takes a free one.",
    ),
)  # fmt: skip

detector_options = _group(
    click.option(
        "--detector", "detectors", multiple=True, metavar="[NAME=]PATH",
        help="Folder of a bundle, and what it is served as, its own name unless given; repeatable, the first is the "
        "default. The one that comes with the package unless given.",
    ),
    click.option(
        "--shadow", "shadows", multiple=True, metavar="[NAME=]PATH",
        help="Folder of a candidate's bundle, which computes some of what the detector NAME, the default one unless "
        "given, has answered; only figures come of it. Repeatable, one a detector.",
    ),
    click.option(
        "--shadow-share", type=_Number(min=0, max=1), default=None,
        help=f"Of the requests, what candidates compute if there is time for it; {SHADOW_SHARE:g} unless given.",
    ),
    click.option(
        "--inference-threads", type=click.IntRange(min=1), default=None,
        help="Threads of one inference in this process; unless given as many as there are cores.",
    ),
    click.option(
        "--decoding-threads", "decoders", type=click.IntRange(min=1), default=None,
        help="Threads that decode and draw; unless given a quarter of the cores, and all of them before a Triton.",
    ),
)  # fmt: skip

triton_options = _group(
    click.option(
        "--triton", metavar="HOST:PORT",
        help="Detect on NVIDIA Triton, at its gRPC endpoint, where `dirdet triton` put the detector's models.",
    ),
    click.option("--triton-model", metavar="NAME", help="Triton's model; the bundle's ensemble unless given."),
    click.option(
        "--triton-shared-memory", is_flag=True,
        help="Hand canvases over in this machine's shared memory, which Triton must see too.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=1), default=1, show_default=True,
        help="Processes that share the port, before a Triton only: an engine in the process uses every core already.",
    ),
)  # fmt: skip

batch_options = _group(
    click.option(
        "--max-batch", type=click.IntRange(min=1), default=MAX_BATCH, show_default=True,
        help="Pictures of one inference in this process.",
    ),
    click.option(
        "--inferences", type=click.IntRange(min=1), default=None,
        help="Inferences at once in this process while many pictures wait, each on its share of the cores and of "
        "--max-batch; unless given as many as there are inference threads, at most --max-batch. With 1, each has all.",
    ),
    click.option(
        "--max-batch-delay-ms", type=_Number(min=0, max=1000), default=1000 * MAX_BATCH_DELAY_S, show_default=True,
        help="How long a picture waits for others that are being decoded, while the engine is idle.",
    ),
)  # fmt: skip

load_options = _group(
    click.option(
        "--timeout-s", type=_SECONDS, default=TIMEOUT_S, show_default=True,
        help="Time in which a request is answered, its body's way included; then it gets 504.",
    ),
    click.option(
        "--max-timeout-s", type=_SECONDS, default=MAX_TIMEOUT_S, show_default=True,
        help="Time that a request may ask for by its header X-Request-Timeout-Ms.",
    ),
    click.option(
        "--max-queue", type=click.IntRange(min=1), default=MAX_QUEUE, show_default=True,
        help="Pictures under way, those that wait included; beyond it a request gets 503.",
    ),
    click.option(
        "--max-queue-mib", "max_queue_bytes", type=click.IntRange(min=1), default=MAX_QUEUE_BYTES // 2**20,
        show_default=True, callback=_bytes_of_mib,
        help="MiB of the bodies under way; beyond it a request gets 503.",
    ),
    click.option(
        "--drain-timeout-s", type=_SECONDS, default=DRAIN_TIMEOUT_S, show_default=True,
        help="Time that requests under way have to end once the server is told to stop.",
    ),
)  # fmt: skip

log_options = _group(
    click.option(
        "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
        envvar="DIRDET_LOG_FORMAT", show_envvar=True, help="Of a line of the log: for people, or for machines.",
    ),
)  # fmt: skip

serve_options = _group(
    listen_options, access_options, detector_options, triton_options, batch_options, load_options, log_options
)


def read_settings(
    *,
    host: str,
    port: int,
    detectors: Sequence[str],
    shadows: Sequence[str],
    shadow_share: float | None,
    inference_threads: int | None,
    decoders: int | None,
    triton: str | None,
    triton_model: str | None,
    triton_shared_memory: bool,
    workers: int,
    max_batch: int,
    inferences: int | None,
    max_batch_delay_ms: float,
    drain_timeout_s: float,
    access: Access,
    log_format: LogFormat,
    **limits: Any,  # noqa: ANN401 - int and float, each checked by its option
) -> ServeSettings:
    """What the options mean together; `limits` are those that `ServerLimits` has by the same names.

    Raises:
        ParameterError: they contradict each other; names one.
    """
    if triton is None and triton_model is not None:
        raise ParameterError("--triton-model", "says which model of a Triton; --triton says which Triton")
    if triton is None and triton_shared_memory:
        raise ParameterError("--triton-shared-memory", "is shared with a Triton; --triton says which")
    if triton is None and workers > 1:
        raise ParameterError(
            "--workers",
            f"{workers} processes need a Triton (--triton); without one each would load the detector, and they would "
            "take each other's cores",
        )
    if triton_model is not None and len(detectors) > 1:
        raise ParameterError(
            "--triton-model", f"one model is not {len(detectors)} detectors; without it each asks the model of its own"
        )
    if shadow_share is not None and not shadows:
        raise ParameterError("--shadow-share", "is a candidate's; --shadow says which")
    cores = usable_cores()
    return ServeSettings(
        host=host,
        port=port,
        detectors=tuple(DetectorSource.parse(text, option="--detector") for text in detectors) or (DetectorSource(),),
        shadows=tuple(DetectorSource.parse(text, option="--shadow") for text in shadows),
        shadow_share=SHADOW_SHARE if shadow_share is None else shadow_share,
        triton=None if triton is None else TritonTarget(triton, triton_model, triton_shared_memory),
        inference_threads=inference_threads or 0,
        limits=ServerLimits(
            decoders=decoders or (decoding_threads(cores) if triton is None else max(1, cores // workers)),
            inferences=inferences or inferences_beside(inference_threads or cores, max_batch=max_batch)
            if triton is None
            else REMOTE_INFERENCES,
            max_batch=max_batch,
            max_batch_delay_s=max_batch_delay_ms / 1000,
            **limits,
        ),
        drain_timeout_s=drain_timeout_s,
        workers=workers,
        access=access,
        log_format=log_format,
    )
