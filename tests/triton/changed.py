"""The shipped detector with another network, as who trained anew has one."""

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

from dirdet.bundle.bundle import MANIFEST, sha256_of
from dirdet.bundle.shipped import default_bundle

onnx: Any = importlib.import_module("onnx")
numpy_helper: Any = importlib.import_module("onnx.numpy_helper")
OBJECTNESS = "rpn_head.rpn_cls.weight"


def changed_bundle(folder: Path, *, name: str = "scenes", sign: int = -1) -> Path:
    """A bundle that looks where the shipped one sees no objects: its objectness has another sign.

    Args:
        folder: does not exist.
        name: of the detector.
        sign: 1 leaves the network as it is.
    """
    shutil.copytree(default_bundle(), folder)
    told = json.loads((folder / MANIFEST).read_text())
    told["name"] = name
    for file, prefix in (("trunk.onnx", ""), ("detector.onnx", "trunk.")):
        model = onnx.load(folder / file)
        [weights] = [each for each in model.graph.initializer if each.name == prefix + OBJECTNESS]
        weights.CopyFrom(numpy_helper.from_array(sign * numpy_helper.to_array(weights), weights.name))
        onnx.save(model, folder / file)
        told["files"][file] = sha256_of(folder / file)
    told["provenance"]["checkpoint_sha256"] = "2" * 64
    (folder / MANIFEST).write_text(json.dumps(told))
    return folder
