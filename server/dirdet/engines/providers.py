"""Chooses ONNX Runtime's execution provider by what the machine has, with the reason."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dirdet.engines.nvidia_driver import trouble_with_cuda
from dirdet.errors import EngineError

ProviderName = Literal["auto", "cuda", "openvino", "cpu"]
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
OPENVINO_PLUGIN = "onnxruntime_ep_openvino"


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider and the reason for it.

    Attributes:
        name: of the provider in ONNX Runtime.
        reason: for the log.
        devices: devices of a plugin, for the session's options; empty for a built-in provider.
    """

    name: str
    reason: str
    devices: Sequence[Any] = ()


def choose_provider(ort: Any, wanted: ProviderName = "auto") -> Provider:  # noqa: ANN401 - onnxruntime has no types
    """CUDA if this ONNX Runtime has it, else the OpenVINO plugin if it has a device on this machine, else the CPU.

    Args:
        ort: the onnxruntime module.
        wanted: the name of the only acceptable provider; None accepts any.

    Raises:
        EngineError: the wanted provider is not available.
    """
    missing: list[str] = []
    if wanted in ("auto", "cuda"):
        trouble = "this ONNX Runtime is built without CUDA"
        if CUDA in ort.get_available_providers():
            trouble = trouble_with_cuda(getattr(ort, "cuda_version", None))
        if trouble is None:
            return Provider(CUDA, "this ONNX Runtime is built with CUDA, and the driver supports it")
        missing.append(trouble)
    if wanted in ("auto", "openvino"):
        devices, why_not = _openvino_devices(ort)
        if devices:
            return Provider(devices[0].ep_name, "the OpenVINO plugin offers this machine's processor", devices[:1])
        missing.append(why_not)
    if wanted in ("auto", "cpu"):
        return Provider(CPU, "; ".join(missing) or "asked for")
    raise EngineError(f"provider {wanted!r} is not available: {'; '.join(missing)}")


def _openvino_devices(ort: Any) -> tuple[list[Any], str]:  # noqa: ANN401
    """The plugin's CPU devices and, if there are none, the reason."""
    try:
        plugin = importlib.import_module(OPENVINO_PLUGIN)
    except ImportError:
        return [], "the OpenVINO plugin is not installed"
    try:
        registered = {device.ep_name for device in ort.get_ep_devices()}
        if plugin.get_ep_name() not in registered:
            ort.register_execution_provider_library(plugin.get_ep_name(), plugin.get_library_path())
        offered = [device for device in ort.get_ep_devices() if device.ep_name == plugin.get_ep_name()]
    except Exception as exc:  # after a plugin's error the CPU still serves
        return [], f"the OpenVINO plugin could not be loaded ({exc})"
    cpus = [device for device in offered if device.device.type == ort.OrtHardwareDeviceType.CPU]
    return cpus, "the OpenVINO plugin offers no device on this machine"
