"""Times the trunk by each execution provider and precision of ONNX Runtime."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from dirdet.bundle.bundle import TRUNK, TRUNK_FLOAT16, Bundle
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.providers import CPU, CUDA
from dirdet_bench.gpu.timing import median_ms
from dirdet_bench.harness.canvases import canvas_batch, input_arrays

TENSORRT = "TensorrtExecutionProvider"
# By name: the provider and its options, as `dirdet triton` configures them.
ON_CUDA: dict[str, tuple[str, dict[str, Any]]] = {
    "CUDA, float32": (CUDA, {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 0}),
    "CUDA, TF32": (CUDA, {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 1}),
    "TensorRT, TF32": (TENSORRT, {}),
    "TensorRT, float16": (TENSORRT, {"trt_fp16_enable": True}),
}
ON_CPU: dict[str, tuple[str, dict[str, Any]]] = {"CPU, float32": (CPU, {})}


def time_trunk(
    bundle: Bundle, picture: Image.Image, device: torch.device, *, batches: Sequence[int], rounds: int
) -> dict[str, Any]:
    """Returns milliseconds of one inference by file, provider and size of batch, outputs left on the device.

    A provider that cannot be used has the reason in place of figures.
    """
    on_gpu = device.type == "cuda"
    files = [TRUNK, *([TRUNK_FLOAT16] if TRUNK_FLOAT16 in bundle.manifest.files else [])]
    found: dict[str, Any] = {}
    for file in files:
        for name, (provider, options) in (ON_CUDA if on_gpu else ON_CPU).items():
            key = f"{file}, {name}"
            try:
                session = _session(bundle, file, provider, options)
            except RuntimeError as exc:
                found[key] = str(exc).splitlines()[0]
                continue
            times: dict[str, float] = {}
            for batch in batches:
                binding = _bound(session, bundle, picture, device, batch)
                times[str(batch)] = median_ms(lambda b=binding, s=session: _run(s, b), device, rounds=rounds)
            found[key] = times
    return found


def _session(bundle: Bundle, file: str, provider: str, options: dict[str, Any]) -> Any:  # noqa: ANN401 - no types
    ort = import_onnxruntime("the trunk")
    if provider not in ort.get_available_providers():
        raise RuntimeError(f"this ONNX Runtime is built without {provider}")
    if provider != CPU and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    session = ort.InferenceSession(str(bundle.file(file)), settings, providers=[(provider, options)])
    if session.get_providers()[0] != provider:
        raise RuntimeError(f"ONNX Runtime could not start {provider} on this machine")
    return session


def _bound(session: Any, bundle: Bundle, picture: Image.Image, device: torch.device, batch: int) -> Any:  # noqa: ANN401
    """A binding whose inputs are on the device already."""
    ort = import_onnxruntime("the trunk")
    arrays = input_arrays(canvas_batch(picture, bundle.manifest, batch=batch))
    binding = session.io_binding()
    for given in session.get_inputs():
        values = np.ascontiguousarray(arrays[given.name])
        binding.bind_ortvalue_input(given.name, ort.OrtValue.ortvalue_from_numpy(values, device.type, 0))
    for given in session.get_outputs():
        binding.bind_output(given.name, device.type)
    return binding


def _run(session: Any, binding: Any) -> None:  # noqa: ANN401
    session.run_with_iobinding(binding)
    binding.synchronize_outputs()
