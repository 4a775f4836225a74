"""Models that take and give what a detector does and compute nothing, so that what is around them can be timed."""

import importlib
import shutil
from pathlib import Path
from typing import Any

from dirdet.bundle.bundle import Bundle
from dirdet.engines.triton.models import ModelNames

# Answers zeros of the shapes in its configuration: no candidates.
MODEL = """
import json

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self._outputs = json.loads(args["model_config"])["output"]

    def execute(self, requests):
        return [self._answer(pb_utils.get_input_tensor_by_name(each, "picture_hw").shape()[0]) for each in requests]

    def _answer(self, size):
        types = [pb_utils.triton_string_to_numpy(each["data_type"]) for each in self._outputs]
        zeros = [np.zeros([size, *each["dims"]], dtype) for each, dtype in zip(self._outputs, types)]
        return pb_utils.InferenceResponse([pb_utils.Tensor(each["name"], a) for each, a in zip(self._outputs, zeros)])
"""


def write_idle(bundle: Bundle, repository: Path) -> None:
    """Puts one in the ensemble's place, and takes its parts away."""
    text_format: Any = importlib.import_module("google.protobuf.text_format")
    definitions: Any = importlib.import_module("tritonclient.grpc.model_config_pb2")
    names = ModelNames(bundle.manifest.name)
    path = repository / names.detector / "config.pbtxt"
    config = text_format.Parse(path.read_text(), definitions.ModelConfig())
    for field in ("platform", "ensemble_scheduling"):
        config.ClearField(field)
    config.backend = "python"
    config.instance_group.add(kind=definitions.ModelInstanceGroup.KIND_CPU, count=1)
    path.write_text(text_format.MessageToString(config))
    (repository / names.detector / "1" / "model.py").write_text(MODEL)
    for name in names.all:
        if name != names.detector:
            shutil.rmtree(repository / name)
