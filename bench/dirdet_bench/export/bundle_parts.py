"""A bundle's two parts in one process on one device, as Triton runs them."""

import contextlib
import importlib
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import onnx
import torch
from torch import Tensor

from dirdet.bundle.bundle import ROI_STAGE, TRUNK, Bundle
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.providers import CPU, CUDA
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.errors import EngineError
from dirdet_bench.harness.canvases import input_arrays
from dirdet_export.graph.roi_stage_file import read_roi_stage

Precision: TypeAlias = Literal["float32", "float16"]


class BundleParts:
    """trunk.onnx by ONNX Runtime and roi_stage.safetensors by torch.

    Make and use one within `known_warnings.expected_warnings`, which is for the whole process, not a thread.

    Attributes:
        device: where both are.
        stage: roi_stage.safetensors.
        maps: names of the trunk's outputs.
        request: names of what the RoI stage takes beside them.
    """

    def __init__(self, bundle: Bundle, *, device: torch.device, precision: Precision = "float32") -> None:
        """Loads both parts; float16 computes the trunk and the RoI stage's heads in it, and leaves boxes float32.

        Raises:
            EngineError: ONNX Runtime cannot use the device.
        """
        self.device = device
        self._half = precision == "float16"
        self._trunk = trunk_session(bundle.file(TRUNK), device, half=self._half)
        read = read_roi_stage(bundle.file(ROI_STAGE), device)
        self.stage = read.stage
        self.maps = [output.name for output in self._trunk.get_outputs()]
        self.request = read.inputs[len(self.maps) :]
        self._outputs = read.outputs

    @property
    def description(self) -> str:
        return f"trunk.onnx and roi_stage.safetensors on {self.device}"

    def move(self, batch: CanvasBatch) -> dict[str, Tensor]:
        """A request's tensors on the device, by name."""
        return {name: torch.from_numpy(values).to(self.device) for name, values in input_arrays(batch).items()}

    def trunk(self, request: dict[str, Tensor]) -> list[Tensor]:
        """The pyramid and the RPN's outputs, on the device."""
        binding = self._trunk.io_binding()
        place = (self.device.type, self.device.index or 0)
        for name, kind in (("canvas", np.uint8), ("picture_hw", np.int64)):
            tensor = request[name].contiguous()
            binding.bind_input(name, *place, kind, tuple(tensor.shape), tensor.data_ptr())
        for name in self.maps:
            binding.bind_output(name, *place)
        self.wait()  # ONNX Runtime has a stream of its own
        self._trunk.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return [torch.from_dlpack(value) for value in binding.get_outputs()]

    def roi_stage(self, maps: list[Tensor], request: dict[str, Tensor]) -> dict[str, Tensor]:
        """Candidates and detections by the names of bundle.json, on the device."""
        precision = torch.autocast(self.device.type, torch.float16) if self._half else contextlib.nullcontext()
        with torch.inference_mode(), precision:
            outputs = self.stage(*maps, *(request[name] for name in self.request))
        return dict(zip(self._outputs, outputs, strict=True))

    def detect(self, batch: CanvasBatch) -> Candidates:
        request = self.move(batch)
        found = self.roi_stage(self.trunk(request), request)
        return Candidates.from_outputs({name: values.cpu().numpy() for name, values in found.items()})

    def wait(self) -> None:
        """Returns once this thread's stream is done."""
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        """Holds nothing."""


def trunk_session(path: Path, device: torch.device, *, half: bool) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """A session on the device and no other.

    Raises:
        EngineError: this ONNX Runtime cannot use it.
    """
    ort = import_onnxruntime("the trunk")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    wanted = CUDA if device.type == "cuda" else CPU
    if wanted not in ort.get_available_providers():
        raise EngineError(f"this ONNX Runtime is built without {wanted}: onnxruntime-gpu has it")
    if wanted == CUDA and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    # As `dirdet triton` configures it: cuDNN's exhaustive search would be repeated for every size of batch.
    settings = {"device_id": device.index or 0, "cudnn_conv_algo_search": "HEURISTIC"} if wanted == CUDA else {}
    network = _in_half(path) if half else path.read_bytes()
    session = ort.InferenceSession(network, options, providers=[(wanted, settings)])
    if session.get_providers()[0] != wanted:
        raise EngineError(f"ONNX Runtime could not start {wanted} on this machine")
    return session


def _in_half(path: Path) -> bytes:
    """The network computing in float16, its outputs float16 too."""
    converter: Any = importlib.import_module("onnxruntime.transformers.float16")
    return converter.convert_float_to_float16(onnx.load(str(path))).SerializeToString()
