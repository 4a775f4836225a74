"""Opens a network with the Python package of ONNX Runtime, on the device of a model's instance.

Runs inside Triton's Python backend, beside the model that uses it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

pb_utils: Any = importlib.import_module("triton_python_backend_utils")  # exists only inside Triton

NETWORK = "model.onnx"
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
# Idle threads would spin after an inference, on the cores of whatever runs next in this process.
NO_SPINNING = {"session.force_spinning_stop": "1"}


def open_session(args: Mapping[str, str], entries: Mapping[str, str], cuda: Mapping[str, str]) -> tuple[Any, Any]:
    """ONNX Runtime and the session of the model's network.

    Args:
        args: of the model's `initialize`.
        entries: of the session's configuration.
        cuda: options of the CUDA provider, beside the device and the search of algorithms.

    Raises:
        TritonModelException: ONNX Runtime is missing, cannot use the GPU, or is too old for the network; the text names
            the remedy.
    """
    model = args["model_name"]
    ort = _import_onnxruntime(model)
    options = ort.SessionOptions()
    for name, value in entries.items():
        options.add_session_config_entry(name, value)
    providers: list[Any] = [CPU]
    wanted = CPU
    if args["model_instance_kind"] == "GPU":
        wanted = CUDA
        device = {"device_id": args["model_instance_device_id"], "cudnn_conv_algo_search": "HEURISTIC"}
        providers.insert(0, (CUDA, {**device, **cuda}))
    path = Path(args["model_repository"]) / args["model_version"] / NETWORK
    if wanted not in ort.get_available_providers():
        raise pb_utils.TritonModelException(
            f"{model} is to run on a GPU, but the ONNX Runtime in Triton's Python is built for the CPU; install "
            "onnxruntime-gpu in its place"
        )
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as exc:  # exception types of onnxruntime are not public
        raise pb_utils.TritonModelException(
            f"{model} cannot be loaded by the ONNX Runtime {ort.__version__} in Triton's Python "
            f"({str(exc).strip().splitlines()[0]}): install a newer one there"
        ) from exc
    started = session.get_providers()[0]
    if started != wanted:  # ONNX Runtime continues without a provider that fails
        raise pb_utils.TritonModelException(
            f"{model} is to run on a GPU, but the ONNX Runtime {ort.__version__} in Triton's Python could not start "
            f"{wanted} and took {started}; install the one for this CUDA"
        )
    return ort, session


def _import_onnxruntime(model: str) -> Any:  # noqa: ANN401 - onnxruntime has no types
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as `dirdet.engines.onnx_module`, which is not available here
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as exc:
        raise pb_utils.TritonModelException(
            f"{model} needs ONNX Runtime in the Python of Triton's Python backend ({exc}): install onnxruntime there"
        ) from exc
