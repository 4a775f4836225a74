"""Runs trunk and RoI stage in one process of Triton's Python backend: the pyramid never leaves it.

ONNX Runtime runs the trunk and gives its outputs to PyTorch where they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import onnx_session, roi_stage_network

CANVAS = "canvas"
# The RoI stage follows on the same stream, without a wait of the host for the trunk.
NO_WAIT = "disable_synchronize_execution_providers"


class TritonPythonModel(roi_stage_network.TritonPythonModel):
    def initialize(self, args: dict[str, str]) -> None:
        """Loads both networks.

        Raises:
            TritonModelException: PyTorch or ONNX Runtime is missing or cannot use the GPU, or a file has no such
                network; the text names the remedy.
        """
        super().initialize(args)  # first: on a GPU the CUDA libraries are PyTorch's
        on_gpu = self._device.type == "cuda"
        self._stream: Any = self._torch.cuda.Stream(self._device) if on_gpu else None
        cuda = {"user_compute_stream": str(self._stream.cuda_stream)} if on_gpu else {}
        ort, self._trunk = onnx_session.open_session(args, onnx_session.NO_SPINNING, cuda)
        self._run_options: Any = ort.RunOptions()
        if on_gpu:
            self._run_options.add_run_config_entry(NO_WAIT, "1")
        self._maps: list[str] = [each.name for each in self._trunk.get_outputs()]
        self._seen: list[str] = [each.name for each in self._trunk.get_inputs()]
        self._inputs = [CANVAS, *(name for name in self._stage_inputs if name not in self._maps)]

    def _run(self, requests: Sequence[Any]) -> list[list[Any]]:
        """Output tensors of every request."""
        with self._torch.cuda.stream(self._stream) if self._stream is not None else contextlib.nullcontext():
            return super()._run(requests)

    def _for_stage(self, given: dict[str, Any]) -> dict[str, Any]:
        """Inputs of the RoI stage: the trunk's outputs, without a copy, and what the request says."""
        where = self._device.type, self._device.index or 0
        binding = self._trunk.io_binding()
        for name in self._seen:
            values = given[name].contiguous()
            dtype = np.dtype(str(values.dtype).removeprefix("torch.")).type
            binding.bind_input(name, *where, dtype, list(values.shape), values.data_ptr())
        for name in self._maps:
            binding.bind_output(name, *where)
        self._trunk.run_with_iobinding(binding, self._run_options)
        maps = [self._torch.from_dlpack(values) for values in binding.get_outputs()]
        return super()._for_stage({**given, **dict(zip(self._maps, maps, strict=True))})
