"""Runs an ONNX file with the Python package of ONNX Runtime, for Triton builds without the ONNX Runtime backend."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import answering, memory, onnx_session, rows

pb_utils: Any = importlib.import_module("triton_python_backend_utils")  # exists only inside Triton

THRESHOLD = "nms_iou_threshold"


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        """Loads the network.

        Raises:
            TritonModelException: ONNX Runtime is missing, cannot use the GPU, or is too old for the network; the text
                names the remedy.
        """
        _, self._session = onnx_session.open_session(args, {}, {})
        self._inputs: dict[str, int] = {each.name: len(each.shape) for each in self._session.get_inputs()}
        self._outputs: list[str] = [each.name for each in self._session.get_outputs()]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response per request of a batch, in order."""
        return answering.responses(pb_utils, requests, self._run)

    def _run(self, requests: Sequence[Any]) -> list[list[Any]]:
        """Output tensors of every request."""
        given = {
            name: [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self._inputs
        }
        sizes = [len(values) for values in next(iter(given.values()))]
        feeds = {name: np.concatenate(values) for name, values in given.items()}
        # Tensors [B] of the network arrive as [B, 1].
        feeds = {name: values if self._inputs[name] > 1 else values.reshape(-1) for name, values in feeds.items()}
        parts = memory.whole_or_halves(
            lambda part: self._infer({name: values[part] for name, values in feeds.items()}),
            sum(sizes),
            lacks=lambda exc: memory.tells_lack_of_memory(str(exc)),
        )
        outputs = parts[0] if len(parts) == 1 else [np.concatenate(values) for values in zip(*parts, strict=True)]
        return [
            [
                pb_utils.Tensor(name, values[span].reshape(-1, *(values.shape[1:] or (1,))))
                for name, values in zip(self._outputs, outputs, strict=True)
            ]
            for span in rows.spans(sizes)
        ]

    def _infer(self, feeds: dict[str, Any]) -> list[Any]:
        """Outputs for all rows; rows are grouped by threshold if the network has one."""
        if THRESHOLD not in feeds:
            return self._session.run(None, feeds)
        by_threshold = rows.groups(feeds[THRESHOLD].tolist())
        parts: list[list[Any]] = []
        for threshold, members in by_threshold:
            chosen = feeds if len(by_threshold) == 1 else {name: values[members] for name, values in feeds.items()}
            parts.append(self._session.run(None, {**chosen, THRESHOLD: np.array(threshold, np.float32)}))
        if len(parts) == 1:
            return parts[0]
        order = np.argsort([row for _, members in by_threshold for row in members])
        return [np.concatenate(values)[order] for values in zip(*parts, strict=True)]
