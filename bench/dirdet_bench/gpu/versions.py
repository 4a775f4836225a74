"""The driver, the GPU and the versions of everything that computes on it."""

import importlib
import importlib.util
import shutil
import subprocess
from typing import Any

import torch

from dirdet_bench.harness.machine import machine

FIELDS = ("name", "driver_version", "memory.total", "memory.used", "compute_cap", "power.limit", "clocks.max.sm")
PACKAGES = (
    "torch", "torchvision", "onnxruntime", "onnxruntime-gpu", "triton", "tensorrt", "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13", "onedl-mmdetection", "onedl-mmcv",
)  # fmt: skip


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Returns facts by name; a program or package that is not there is None."""
    ort: Any = importlib.import_module("onnxruntime") if importlib.util.find_spec("onnxruntime") else None
    facts: dict[str, Any] = {
        "device": str(device),
        "gpus": nvidia_smi(),
        "torch": {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()},
        "onnxruntime": None if ort is None else ort.get_available_providers(),
        "tritonserver": shutil.which("tritonserver"),
        **machine(PACKAGES),
    }
    if device.type == "cuda":
        facts["works"] = float(torch.ones(2, device=device).sum()) == 2.0
        facts["capability"] = torch.cuda.get_device_capability(device)
        facts["compiled for"] = torch.cuda.get_arch_list()
    return facts


def nvidia_smi() -> list[dict[str, str]] | None:
    """Returns what the driver says of each GPU; None where there is no nvidia-smi."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = said.stdout.splitlines() if said.returncode == 0 else []
    return [dict(zip(FIELDS, map(str.strip, line.split(",")), strict=False)) for line in lines]
