"""Runs a TorchScript file inside Triton's Python backend: on the GPU without a copy to the host, or on the CPU."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import answering, memory, rows

pb_utils: Any = importlib.import_module("triton_python_backend_utils")  # only Triton has it

NETWORK = "model.pt"
SIGNATURE = "signature.json"
THRESHOLD = "nms_iou_threshold"


class TritonPythonModel:
    """One instance; Triton makes it, warms it up and calls it."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the network.

        Raises:
            TritonModelException: PyTorch is missing, or cannot use the GPU; the text says what to do.
        """
        self._torch = _import_torch(args["model_name"], Path(args["model_repository"]).parent)
        on_gpu = args["model_instance_kind"] == "GPU"
        if on_gpu and not self._torch.cuda.is_available():
            raise pb_utils.TritonModelException(
                f"{args['model_name']} is to run on a GPU, but the PyTorch in Triton's Python is built for the CPU; "
                "install one for CUDA"
            )
        device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        self._device = self._torch.device(device)
        path = Path(args["model_repository"]) / args["model_version"] / NETWORK
        texts = {SIGNATURE: ""}
        self._network = self._torch.jit.load(str(path), map_location=self._device, _extra_files=texts)
        signature = json.loads(texts[SIGNATURE])
        self._inputs: list[str] = signature["inputs"]
        self._outputs: list[str] = signature["outputs"]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answers a batch: one response for every request, in order."""
        return answering.responses(pb_utils, requests, self._run)

    def _run(self, requests: Sequence[Any]) -> list[list[Any]]:
        """Output tensors of every request."""
        torch = self._torch
        given = [[self._tensor(request, name) for name in self._inputs] for request in requests]
        sizes = [tensors[0].shape[0] for tensors in given]
        columns: Any = zip(*given, strict=True)
        joined: dict[str, Any] = {name: torch.cat(values) for name, values in zip(self._inputs, columns, strict=True)}
        # Of the request, tensors [B] arrive as [B, 1].
        feeds = {name: values.flatten() if values.shape[1:] == (1,) else values for name, values in joined.items()}
        # Shapes differ from batch to batch: specialising the graph to each would cost more than it gains.
        with torch.inference_mode(), torch.jit.optimized_execution(False):
            parts = memory.whole_or_halves(
                lambda part: self._infer({name: values[part] for name, values in feeds.items()}),
                sum(sizes),
                lacks=lambda exc: memory.tells_lack_of_memory(str(exc)),
                free=torch.cuda.empty_cache,
            )
        outputs = parts[0] if len(parts) == 1 else [torch.cat(values) for values in zip(*parts, strict=True)]
        dense = [[_as_triton_reads(values[span]) for values in outputs] for span in rows.spans(sizes)]
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()  # Triton reads them on a stream of its own
        return [
            [pb_utils.Tensor.from_dlpack(name, values) for name, values in zip(self._outputs, tensors, strict=True)]
            for tensors in dense
        ]

    def _infer(self, feeds: dict[str, Any]) -> Sequence[Any]:
        """Outputs for all rows, each with its own threshold if the network has one."""
        if THRESHOLD not in feeds:
            return self._network(*feeds.values())
        by_threshold = rows.groups(feeds[THRESHOLD].tolist())
        parts: list[Sequence[Any]] = []
        for _, members in by_threshold:
            chosen = feeds if len(by_threshold) == 1 else {name: values[members] for name, values in feeds.items()}
            parts.append(self._network(*(chosen[name][0] if name == THRESHOLD else chosen[name] for name in feeds)))
        if len(parts) == 1:
            return parts[0]
        order = self._torch.tensor([row for _, members in by_threshold for row in members]).argsort().to(self._device)
        return [self._torch.cat(values)[order] for values in zip(*parts, strict=True)]

    def _tensor(self, request: Any, name: str) -> Any:  # noqa: ANN401 - neither package has types for these
        tensor = pb_utils.get_input_tensor_by_name(request, name)
        return self._torch.utils.dlpack.from_dlpack(tensor.to_dlpack()).to(self._device)


def _as_triton_reads(values: Any) -> Any:  # noqa: ANN401
    """Dense rows: Triton takes the memory of a DLPack tensor and ignores its strides. [B] becomes [B, 1]."""
    return values.reshape(len(values), *(values.shape[1:] or (1,))).contiguous()


def _import_torch(model: str, repository: Path) -> Any:  # noqa: ANN401
    try:
        importlib.import_module("torchvision")  # brings operators that the network is made of
        return importlib.import_module("torch")
    except ImportError as exc:
        alone = f"{model.removesuffix('roi_stage').removesuffix('trunk')}detector_onnx"
        instead = f", or serve {alone}, which needs neither" if (repository / alone).is_dir() else ""
        raise pb_utils.TritonModelException(
            f"{model} needs PyTorch and torchvision in the Python of Triton's Python backend ({exc}): install them "
            f"there{instead}"
        ) from exc
