"""A bundle's two parts in one process and on one device, the pyramid handed over where it is: Triton without Triton."""

import contextlib
import importlib
import json
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import onnx
import torch
from torch import Tensor

from dirdet.bundle import ROI_STAGE, TRUNK, Bundle
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.providers import CPU, CUDA
from dirdet.errors import EngineError
from dirdet.tensors import Candidates, CanvasBatch
from dirdet_export.torchscript_file import SIGNATURE

Precision: TypeAlias = Literal["float32", "float16"]


class Parts:
    """trunk.onnx by ONNX Runtime and roi_stage.pt by torch; see `dirdet.engines.base.Engine`.

    Who makes and uses one does so within `dirdet_export.quiet.expected_warnings`: it holds for a whole process, so that
    threads cannot each enter it.

    Attributes:
        device: where both are.
        stage: roi_stage.pt.
        maps: names of the trunk's outputs.
        request: names of what the RoI stage takes beside them.
    """

    def __init__(self, bundle: Bundle, *, device: torch.device, precision: Precision = "float32") -> None:
        """Loads both parts.

        Args:
            bundle: has both.
            device: `cpu` or `cuda`.
            precision: float16 computes the trunk and the heads of the RoI stage in it; boxes stay float32.

        Raises:
            EngineError: ONNX Runtime cannot use the device.
        """
        self.device = device
        self._half = precision == "float16"
        self._trunk = trunk_session(bundle.file(TRUNK), device, half=self._half)
        extra = {SIGNATURE: ""}
        self.stage: Any = torch.jit.load(str(bundle.file(ROI_STAGE)), map_location=device, _extra_files=extra)
        signature: dict[str, list[str]] = json.loads(extra[SIGNATURE])
        self.maps = [output.name for output in self._trunk.get_outputs()]
        self.request = signature["inputs"][len(self.maps) :]
        self._outputs = signature["outputs"]

    @property
    def description(self) -> str:
        """What computes."""
        return f"trunk.onnx and roi_stage.pt on {self.device}"

    def move(self, batch: CanvasBatch) -> dict[str, Tensor]:
        """A request's tensors on the device, by name."""
        arrays: dict[str, Any] = {
            name: getattr(batch, name) for name in ("canvas", "picture_hw", "score_threshold", "iou_weight")
        }
        arrays["nms_iou_threshold"] = np.array(batch.nms_iou_threshold, np.float32)
        return {name: torch.from_numpy(values).to(self.device) for name, values in arrays.items()}

    def trunk(self, request: dict[str, Tensor]) -> list[Tensor]:
        """The pyramid and what the RPN says of it, on the device."""
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
        # As Triton's Python backend runs it: shapes differ from batch to batch.
        as_traced = torch.jit.optimized_execution(False)  # pyright: ignore[reportPrivateImportUsage]
        with torch.inference_mode(), as_traced, precision:
            outputs = self.stage(*maps, *(request[name] for name in self.request))
        return dict(zip(self._outputs, outputs, strict=True))

    def detect(self, batch: CanvasBatch) -> Candidates:
        """See `Engine.detect`."""
        request = self.move(batch)
        found = self.roi_stage(self.trunk(request), request)
        return Candidates.from_outputs({name: values.cpu().numpy() for name, values in found.items()})

    def wait(self) -> None:
        """Returns once torch has done what it was told on this thread's stream."""
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()

    def ready(self) -> bool:
        """True: both parts are loaded."""
        return True

    def close(self) -> None:
        """Nothing to do."""


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
