"""The remote engine: a bundle's models on NVIDIA Triton, over gRPC."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dirdet.bundle.bundle import Bundle
from dirdet.engines.half_batches import in_halves_within
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.engines.triton.client import import_client, with_key
from dirdet.engines.triton.errors import engine_error, in_words, lost_connection, lost_memory, refused_key
from dirdet.engines.triton.loop_thread import LoopThread
from dirdet.engines.triton.model_tensors import detector_tensors
from dirdet.engines.triton.models import NETWORK, ModelNames, network_digest
from dirdet.engines.triton.target import TritonTarget
from dirdet.engines.triton.wire_tensors import WIRE_TYPES, candidates_of, request_arrays
from dirdet.errors import (
    DeadlineError,
    EngineError,
    EngineMemoryError,
    WrongNetworkError,
)

if TYPE_CHECKING:
    from dirdet.engines.triton.shared_canvases import SharedCanvases

log = logging.getLogger(__name__)

# Timeouts of `detect`, which has no parameter for it, and of a health check.
TIMEOUT_S = 60.0
READY_TIMEOUT_S = 2.0
# Seconds within which the connection must close.
CLOSE_S = 5.0
# Timeout of loading a model; TensorRT may build an engine first.
LOAD_TIMEOUT_S = 1800.0
# Triton's message if its --model-control-mode is not explicit.
NOT_EXPLICIT = "explicit model load / unload is not allowed"
UNLIMITED = -1
# By default gRPC waits up to two minutes before it reconnects to a lost server and half a minute before it resolves its
# address again, and it does not detect a machine that disappeared. With these options a server that is available again
# is reached within two seconds.
CHANNEL = [
    ("grpc.max_send_message_length", UNLIMITED),
    ("grpc.max_receive_message_length", UNLIMITED),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
]


@dataclass(frozen=True, slots=True)
class _Served:
    """Configuration of the model, read when Triton was last reached.

    Attributes:
        inputs: their names.
        outputs: their names.
        batching: Triton joins requests.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    batching: bool


class TritonEngine:
    """Detects with a model on Triton.

    Triton need not run when the engine is created, and may stop and restart at any time.
    """

    def __init__(self, bundle: Bundle, target: TritonTarget) -> None:
        """Does not connect yet.

        Args:
            bundle: Triton must serve its models.
            target: address and options of the connection.

        Raises:
            BundleError: the manifest does not describe the network's inputs and outputs.
            MissingExtraError: tritonclient is not installed.
        """
        _, outputs = detector_tensors(bundle.manifest)
        self._known = frozenset(each.name for each in outputs)
        self._grpc = import_client()
        self._target = target
        self._model = target.model or ModelNames(bundle.manifest.name).detector
        self._digest = network_digest(bundle.manifest)
        self._served: _Served | None = None
        self._trouble: str | None = None
        self._seen = False
        self._loop = LoopThread("triton")
        self._client: Any = self._loop.run(self._connect())
        self._memory = self._shared_canvases() if target.shared_memory else None

    @property
    def description(self) -> str:
        """The model's name; the server's address is only logged."""
        return f"Triton, {self._model}"

    def detect(self, batch: CanvasBatch) -> Candidates:
        """Detects on canvases of one size, within `TIMEOUT_S`.

        Raises:
            EngineMemoryError: there was no memory for one canvas, or for half of several.
            EngineError: Triton did not answer.
        """
        return self._loop.run(self._detect(batch, TIMEOUT_S))

    async def detect_within(self, batch: CanvasBatch, *, timeout_s: float) -> Candidates:
        return await self._loop.wait(self._detect(batch, timeout_s))

    async def load_models(self) -> None:
        await self._loop.wait(self._load_models())

    def ready(self) -> bool:
        """Whether Triton serves this bundle's network now."""
        try:
            return self._loop.run(self._ready())
        except EngineError:
            return False

    def close(self) -> None:
        """Closes the connection and frees the shared memory."""
        if self._loop.stopped:
            return
        try:
            self._loop.run(asyncio.wait_for(self._close(), CLOSE_S))
        except TimeoutError:
            log.warning("Triton at %s: the connection did not close within %g s", self._target.address, CLOSE_S)
        self._loop.stop()

    def _shared_canvases(self) -> "SharedCanvases":
        # its file locks are not available on every system
        from dirdet.engines.triton.shared_canvases import SharedCanvases

        return SharedCanvases(self._client)

    async def _connect(self) -> Any:  # noqa: ANN401 - as above
        client = self._grpc.aio.InferenceServerClient(self._target.address, channel_args=CHANNEL)
        return with_key(client, self._target.key)

    async def _close(self) -> None:
        if self._memory is not None:
            with suppress(self._grpc.InferenceServerException):  # Triton is down and holds no region
                await self._memory.close(timeout_s=CLOSE_S / 2)
        await self._client.close()

    async def _detect(self, batch: CanvasBatch, timeout_s: float) -> Candidates:
        """Detects within `timeout_s`, which both halves share."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        infer = partial(self._infer, deadline_s=deadline_s)
        try:
            return await infer(batch)
        except EngineMemoryError as exc:
            error = exc
        return await in_halves_within(infer, batch, error)

    async def _infer(self, batch: CanvasBatch, *, deadline_s: float) -> Candidates:
        clock = asyncio.get_running_loop().time
        try:
            served = self._served or await self._look(max(deadline_s - clock(), 0.0))
            left_s = max(deadline_s - clock(), 0.0)
            arrays = request_arrays(batch, served.inputs, batching=served.batching)
            async with self._placed(arrays["canvas"], left_s) as region:
                inputs = [self._input(name, values, region) for name, values in arrays.items()]
                result = await self._client.infer(
                    self._model, inputs, timeout=max(int(left_s * 1e6), 1), client_timeout=left_s
                )
        except self._grpc.InferenceServerException as exc:
            raise self._failed(exc) from exc
        return candidates_of(result, served.outputs)

    @asynccontextmanager
    async def _placed(self, canvas: NDArray[np.uint8], timeout_s: float) -> AsyncGenerator[SharedMemory | None]:
        """A region of shared memory with the canvas; None if shared memory is not used or has no room."""
        memory = self._memory
        region = None if memory is None else await memory.place(canvas, timeout_s=timeout_s)
        if memory is None or region is None:
            yield None
            return
        try:
            yield region
        except BaseException:
            memory.set_aside(region)
            raise
        memory.give_back(region)

    async def _ready(self) -> bool:
        try:
            await self._look(READY_TIMEOUT_S)
            return await self._client.is_model_ready(self._model, client_timeout=READY_TIMEOUT_S)
        except self._grpc.InferenceServerException as exc:
            raise self._failed(exc) from exc

    async def _load_models(self) -> None:
        hint = "`dirdet triton` writes the bundle's models into its repository"
        try:
            await self._client.load_model(self._model, client_timeout=LOAD_TIMEOUT_S)
        except self._grpc.InferenceServerException as exc:
            if NOT_EXPLICIT not in (exc.message() or ""):
                failed = self._failed(exc)
                known = lost_connection(exc) or refused_key(exc)
                if known or isinstance(failed, (DeadlineError, EngineMemoryError)):
                    raise failed from exc
                raise EngineError(f"Triton could not load {self._model}, and its log says why; {hint}") from exc
            log.info("Triton at %s: %s; it loads its models itself", self._target.address, exc.message())
            hint += ", which it reads by itself (--model-control-mode is not explicit): restart it"
        try:
            await self._look(READY_TIMEOUT_S)
        except self._grpc.InferenceServerException as exc:
            raise EngineError(f"{self._failed(exc)}; {hint}") from exc
        except EngineError as exc:
            raise EngineError(f"{exc}; {hint}") from exc

    async def _look(self, timeout_s: float) -> _Served:
        """Reads the model's configuration and keeps it until the connection is lost.

        Raises:
            WrongNetworkError: the model has another network than the bundle.
        """
        config = (await self._client.get_model_config(self._model, client_timeout=timeout_s)).config
        digest = config.parameters[NETWORK].string_value if NETWORK in config.parameters else ""
        if digest != self._digest:
            self._served = None
            log.error(
                "Triton at %s: model %s has the network %s, the bundle %s; `dirdet triton` writes the bundle's models",
                self._target.address, self._model, digest or "of no bundle", self._digest,
            )  # fmt: skip
            raise WrongNetworkError("Triton serves another detector than this gateway's bundle")
        self._served = _Served(
            inputs=tuple(tensor.name for tensor in config.input),
            outputs=tuple(tensor.name for tensor in config.output if tensor.name in self._known),
            batching=config.max_batch_size > 0,
        )
        if self._trouble is not None:
            log.info("Triton at %s serves %s%s", self._target.address, self._model, " again" if self._seen else "")
        self._trouble, self._seen = None, True
        return self._served

    def _input(self, name: str, values: NDArray[Any], region: SharedMemory | None) -> Any:  # noqa: ANN401 - as above
        tensor = self._grpc.InferInput(name, list(values.shape), WIRE_TYPES[values.dtype])
        if name == "canvas" and region is not None:
            tensor.set_shared_memory(region.name, values.nbytes)
        else:
            tensor.set_data_from_numpy(values)
        return tensor

    def _failed(self, exc: Any) -> EngineError:  # noqa: ANN401 - as above
        """The error to raise.

        A failure is logged once; an unreachable Triton at the start is not logged as a warning.
        """
        if lost_connection(exc):
            self._served = None
        if self._memory is not None and (lost_connection(exc) or lost_memory(exc)):
            self._memory.forget()
        error = engine_error(exc)
        waiting = lost_connection(exc) and not self._seen
        level = logging.DEBUG if exc.status() == self._trouble else logging.INFO if waiting else logging.WARNING
        log.log(level, "Triton at %s: %s%s", self._target.address, in_words(exc), ", yet" if waiting else "")
        log.debug("Triton at %s: %s %s", self._target.address, exc.status(), exc.message())
        self._trouble = exc.status()
        return error
