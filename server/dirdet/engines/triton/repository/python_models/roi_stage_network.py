"""Runs a RoI stage with PyTorch inside Triton's Python backend: on the GPU without a copy to the host, or on the CPU.

This code builds the network; its file has the weights and a description, and no executable code.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import answering, memory, rows

pb_utils: Any = importlib.import_module("triton_python_backend_utils")  # exists only inside Triton

NETWORK = "model.safetensors"
READER = "dirdet_export.graph.roi_stage_file"
THRESHOLD = "nms_iou_threshold"


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        """Loads the network.

        Raises:
            TritonModelException: PyTorch is missing or cannot use the GPU, or the file has no RoI stage; the text names
                the remedy.
        """
        self._torch, reader = _import_torch(args["model_name"], Path(args["model_repository"]).parent)
        on_gpu = args["model_instance_kind"] == "GPU"
        if on_gpu and not self._torch.cuda.is_available():
            raise pb_utils.TritonModelException(
                f"{args['model_name']} is to run on a GPU, but the PyTorch in Triton's Python is built for the CPU; "
                "install one for CUDA"
            )
        if on_gpu:
            # As ONNX Runtime and TensorRT run the trunk: ten bits of mantissa in products, sums in float32.
            # NVIDIA_TF32_OVERRIDE=0 keeps all of them from it.
            self._torch.set_float32_matmul_precision("high")
            self._torch.backends.cudnn.allow_tf32 = True
        device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        self._device = self._torch.device(device)
        # On the CPU there is nothing to wait for, and rows as short as the values allow are faster.
        self._at_once = on_gpu
        path = Path(args["model_repository"]) / args["model_version"] / NETWORK
        try:
            read = reader.read_roi_stage(path, self._device)
        except ValueError as exc:
            raise pb_utils.TritonModelException(f"{args['model_name']} cannot be loaded: {exc}") from exc
        self._network: Any = read.stage
        self._stage_inputs: list[str] = read.inputs
        self._inputs: list[str] = read.inputs
        self._outputs: list[str] = read.outputs

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response per request of a batch, in order."""
        return answering.responses(pb_utils, requests, self._run)

    def _run(self, requests: Sequence[Any]) -> list[list[Any]]:
        """Output tensors of every request."""
        torch = self._torch
        given = [[_tensor(torch, request, name) for name in self._inputs] for request in requests]
        sizes = [tensors[0].shape[0] for tensors in given]
        columns: Any = zip(*given, strict=True)
        joined: dict[str, Any] = {
            name: self._joined(values) for name, values in zip(self._inputs, columns, strict=True)
        }
        # The request's tensors [B] arrive as [B, 1].
        feeds = {name: values.flatten() if values.shape[1:] == (1,) else values for name, values in joined.items()}
        feeds = {name: values.to(self._device) for name, values in feeds.items()}
        answers, settled = self._answers(feeds, joined, at_once=self._at_once)
        if not settled:
            answers, _ = self._answers(feeds, joined, at_once=False)
        dense = [[values[span] for values in answers] for span in rows.spans(sizes)]
        return [
            [pb_utils.Tensor.from_dlpack(name, values) for name, values in zip(self._outputs, tensors, strict=True)]
            for tensors in dense
        ]

    def _for_stage(self, given: dict[str, Any]) -> dict[str, Any]:
        """Inputs of the RoI stage, in its order, from the inputs of this model."""
        half = self._torch.float16
        # A trunk may give float16, in which a box far from the origin would move by half a pixel.
        return {name: given[name].float() if given[name].dtype == half else given[name] for name in self._stage_inputs}

    def _answers(self, feeds: dict[str, Any], joined: dict[str, Any], *, at_once: bool) -> tuple[list[Any], bool]:
        """Outputs for all rows on the host, and whether they are right.

        Args:
            feeds: inputs on the device.
            joined: the same inputs where they arrived.
            at_once: compute without a wait for the device but the last, which may give outputs that are not right.
        """
        torch = self._torch
        # Where a request's own tensors arrive: on a GPU this would be a wait for all that it has to do.
        thresholds: list[float] = [] if at_once else joined[THRESHOLD].flatten().tolist()

        def infer(part: slice) -> tuple[Sequence[Any], Any]:
            rows_of = self._for_stage({name: values[part] for name, values in feeds.items()})
            if at_once:
                return self._network.at_once(*rows_of.values())
            return self._by_threshold(rows_of, thresholds[part]), None

        with torch.inference_mode():
            parts = memory.whole_or_halves(
                infer,
                len(feeds[THRESHOLD]),
                lacks=lambda exc: memory.tells_lack_of_memory(str(exc)),
                free=torch.cuda.empty_cache,
            )
        outputs = [torch.cat(values) for values in zip(*(found for found, _ in parts), strict=True)]
        flags = [settled for _, settled in parts if settled is not None]
        # One copy of each to the host, where the answer goes, and one wait for all of them.
        answers = [_as_triton_reads(values).to("cpu", non_blocking=True) for values in outputs]
        flags = [settled.to("cpu", non_blocking=True) for settled in flags]
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        return answers, all(map(bool, flags))

    def _by_threshold(self, feeds: dict[str, Any], thresholds: Sequence[float]) -> Sequence[Any]:
        """Outputs for all rows, which are grouped by their threshold of NMS."""
        by_threshold = rows.groups(thresholds)
        parts: list[Sequence[Any]] = []
        for threshold, members in by_threshold:
            chosen = feeds if len(by_threshold) == 1 else {name: values[members] for name, values in feeds.items()}
            chosen = {**chosen, THRESHOLD: self._torch.tensor(threshold)}  # [], on the host
            parts.append(self._network(*chosen.values()))
        if len(parts) == 1:
            return parts[0]
        order = self._torch.tensor([row for _, members in by_threshold for row in members]).argsort().to(self._device)
        return [self._torch.cat(values)[order] for values in zip(*parts, strict=True)]

    def _joined(self, parts: Sequence[Any]) -> Any:  # noqa: ANN401
        """Rows of all requests, where they are: small tensors on the host are joined there and copied once."""
        if len({part.device for part in parts}) > 1:
            parts = [part.to(self._device) for part in parts]
        return self._torch.cat(parts)


def _tensor(torch: Any, request: Any, name: str) -> Any:  # noqa: ANN401 - neither package has types for these
    """A request's tensor, where Triton has it."""
    return torch.utils.dlpack.from_dlpack(pb_utils.get_input_tensor_by_name(request, name).to_dlpack())


def _as_triton_reads(values: Any) -> Any:  # noqa: ANN401
    """Contiguous rows: Triton reads the memory of a DLPack tensor and ignores its strides. [B] becomes [B, 1]."""
    return values.reshape(len(values), *(values.shape[1:] or (1,))).contiguous()


def _import_torch(model: str, repository: Path) -> tuple[Any, Any]:
    """PyTorch, and the reader of the network's file: dirdet's own code, copied beside this file."""
    here = str(Path(__file__).resolve().parent)
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module("torch"), importlib.import_module(READER)
    except ImportError as exc:
        alone = f"{model.removesuffix('roi_stage').removesuffix('detector')}detector_onnx"
        instead = f", or serve {alone}, which needs none of them" if (repository / alone).is_dir() else ""
        raise pb_utils.TritonModelException(
            f"{model} needs PyTorch, torchvision and safetensors in the Python of Triton's Python backend ({exc}): "
            f"install them there{instead}"
        ) from exc
