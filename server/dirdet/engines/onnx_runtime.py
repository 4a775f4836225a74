"""The embedded engine: runs a bundle's detector.onnx in this process with ONNX Runtime."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dirdet.bundle.bundle import DETECTOR, Bundle
from dirdet.engines.cores import usable_cores
from dirdet.engines.half_batches import in_halves
from dirdet.engines.memory_arena import USE_SHARED_ARENA, share_arena
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.onnx_operators import explain_missing_operator
from dirdet.engines.providers import CPU, CUDA, Provider, ProviderName, choose_provider
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.engines.triton.repository.python_models.memory import tells_lack_of_memory
from dirdet.errors import BundleError, EngineError, EngineMemoryError

log = logging.getLogger(__name__)

NEEDED_INPUTS = frozenset({"canvas", "picture_hw", "score_threshold", "nms_iou_threshold"})
KNOWN_INPUTS = NEEDED_INPUTS | {"iou_weight"}
NEEDED_OUTPUTS = frozenset({"boxes", "class_id", "score", "num_candidates", "kept", "num_detections"})
LOCALIZATION_OUTPUTS = frozenset({"purity", "integrity"})
MASK_OUTPUTS = frozenset({"mask"})


class OnnxRuntimeEngine:
    def __init__(
        self,
        bundle: Bundle,
        *,
        provider: ProviderName = "auto",
        threads: int = 0,
        several: bool = False,
        at_once: int = 1,
    ) -> None:
        """Loads the network.

        Args:
            bundle: has a detector.onnx.
            provider: execution provider; auto selects the best one available.
            threads: of one inference; 0 means one per usable core.
            several: other engines in this process take turns with this one.
            at_once: concurrent inferences, for which the network is loaded a second time; CPU only.

        Raises:
            MissingExtraError: ONNX Runtime is not installed.
            BundleError: detector.onnx cannot be loaded, or its inputs or outputs are not those of a detector.
            EngineError: the requested provider is not available.
        """
        ort = import_onnxruntime("detecting")
        path = bundle.file(DETECTOR)
        chosen = choose_provider(ort, provider)
        reason = chosen.reason
        try:
            sessions = _load_all(ort, path, chosen, threads, several=several, at_once=at_once)
        except EngineError as exc:
            if provider != "auto":
                raise
            reason = f"{chosen.name} was chosen, {chosen.reason}, but did not start: {exc}"
            chosen = choose_provider(ort, "cpu")
            sessions = _load_all(ort, path, chosen, threads, several=several, at_once=at_once)
        self._session: Any = sessions[0]
        self._beside: Any = sessions[-1]
        self._at_once = at_once if len(sessions) > 1 else 1
        self._inputs = frozenset(tensor.name for tensor in self._session.get_inputs())
        self._outputs = [tensor.name for tensor in self._session.get_outputs()]
        self._check_signature(bundle)
        self._description = f"ONNX Runtime {ort.__version__}, {chosen.name}"
        log.info("engine: %s (%s)", self._description, reason)

    def _check_signature(self, bundle: Bundle) -> None:
        needed = NEEDED_OUTPUTS
        if bundle.manifest.localization_confidence is not None:
            needed |= LOCALIZATION_OUTPUTS
        if bundle.manifest.mask_threshold is not None:
            needed |= MASK_OUTPUTS
        found = frozenset(self._outputs)
        if not (NEEDED_INPUTS <= self._inputs <= KNOWN_INPUTS and needed <= found):
            raise BundleError(
                f"{bundle.file(DETECTOR)} is no detector: expected inputs {_names(KNOWN_INPUTS)} and outputs "
                f"{_names(needed)}, found {_names(self._inputs)} and {_names(found)}"
            )

    @property
    def description(self) -> str:
        """ONNX Runtime's version and execution provider."""
        return self._description

    @property
    def at_once(self) -> int:
        return self._at_once

    def detect(self, batch: CanvasBatch) -> Candidates:
        """Detects on canvases of one size; if there is no memory for the batch, in halves.

        Raises:
            EngineMemoryError: there was no memory for one canvas, or for half of several.
            EngineError: the network could not be run.
        """
        return self._detect(self._session, batch)

    def detect_beside(self, batch: CanvasBatch) -> Candidates:
        return self._detect(self._beside, batch)

    def _detect(self, session: Any, batch: CanvasBatch) -> Candidates:  # noqa: ANN401 - onnxruntime has no types
        try:
            return self._run(session, batch)
        except EngineMemoryError as exc:
            error = exc.with_traceback(None)  # its frames reference the arrays of the whole batch
        return in_halves(partial(self._run, session), batch, error)

    def _run(self, session: Any, batch: CanvasBatch) -> Candidates:  # noqa: ANN401 - onnxruntime has no types
        feeds = {
            "canvas": batch.canvas,
            "picture_hw": batch.picture_hw,
            "score_threshold": batch.score_threshold,
            "iou_weight": batch.iou_weight,
            "nms_iou_threshold": np.array(batch.nms_iou_threshold, np.float32),
        }
        try:
            arrays = session.run(None, {name: feeds[name] for name in self._inputs})
        except Exception as exc:  # as above
            if tells_lack_of_memory(str(exc)):
                log.error("%s: %s", self._description, _first_line(exc))
                raise EngineMemoryError(f"{self._description} has no memory left for the picture") from exc
            raise EngineError(f"{self._description}: {_first_line(exc)}") from exc
        return Candidates.from_outputs(dict(zip(self._outputs, arrays, strict=True)))

    def ready(self) -> bool:
        """True: a loaded network can always answer."""
        return True

    def close(self) -> None:
        """Does nothing: the session is freed with the object."""


def _load_all(
    ort: Any,  # noqa: ANN401 - as above
    path: Path,
    chosen: Provider,
    threads: int,
    *,
    several: bool,
    at_once: int,
) -> list[Any]:
    """A session with all cores and, on the CPU with concurrent inferences, one whose inferences have a share each.

    Raises:
        BundleError: as `_load`.
        EngineError: as `_load`.
    """
    if chosen.name == CPU:
        share_arena(ort)
    sizes = [threads]
    if at_once > 1 and chosen.name == CPU:
        sizes.append(max(1, (threads or usable_cores()) // at_once))
    with ThreadPoolExecutor(len(sizes)) as loading:  # mostly single-threaded
        begun = [loading.submit(_load, ort, path, chosen, size, several=several) for size in sizes]
        return [each.result() for each in begun]


def _load(ort: Any, path: Path, chosen: Provider, threads: int, *, several: bool) -> Any:  # noqa: ANN401 - as above
    """A session that runs on the chosen provider only.

    Raises:
        BundleError: the CPU provider cannot load the file, or this ONNX Runtime lacks one of its operators.
        EngineError: the provider does not start on this machine.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or _threads()
    options.log_severity_level = 3  # errors only: warnings about a graph's details do not help an operator
    if several:
        # Otherwise idle threads spin after an inference, on the cores of the engine that runs next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if chosen.name == CPU:
        options.add_session_config_entry(USE_SHARED_ARENA, "1")
    providers: list[str] | None = None
    try:
        if chosen.devices:
            options.add_provider_for_devices(list(chosen.devices), {})
        else:
            if chosen.name == CUDA and hasattr(ort, "preload_dlls"):
                ort.preload_dlls()  # loads the CUDA libraries that pip installed
            providers = list(dict.fromkeys([chosen.name, CPU]))
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as exc:  # exception types of onnxruntime are not public
        missing = explain_missing_operator(exc, path, version=ort.__version__)
        if missing is not None:
            raise missing from exc
        if chosen.name == CPU:
            raise BundleError(f"{path} cannot be loaded: {_first_line(exc)}") from exc
        raise EngineError(_first_line(exc)) from exc
    started: str = session.get_providers()[0]
    if started != chosen.name:  # ONNX Runtime continues without a provider that fails
        raise EngineError(f"ONNX Runtime could not start {chosen.name} on this machine and took {started}")
    return session


def _threads() -> int:
    """Threads of one inference: 0 (ONNX Runtime's default) if every core is usable, else the number of usable cores.

    ONNX Runtime does not know a container's limit.
    """
    cores = usable_cores()
    return 0 if cores >= (os.cpu_count() or 1) else cores


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
