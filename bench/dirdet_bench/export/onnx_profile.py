"""ONNX Runtime's profile of every node of a network, and detector.onnx cut where the trunk ends."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.utils import Extractor

from dirdet.engines.cores import usable_cores
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.providers import CPU
from dirdet.errors import BundleError

# Nodes' names begin with the module that they were traced from.
TRUNK, ROI_STAGE = "/trunk/", "/roi_stage/"


@dataclass(frozen=True)
class NodeRun:
    """One run of a node, by ONNX Runtime's profiler; inputs and outputs are shapes."""

    name: str
    operator: str
    inputs: list[list[int]]
    outputs: list[list[int]]
    seconds: float


@dataclass(frozen=True)
class Cut:
    """Both parts of a detector.onnx, serialised, and the names of the tensors between them."""

    trunk: bytes
    roi_stage: bytes
    between: list[str]


def session_of(model: bytes, **options: Any) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """A session of a serialised model on the CPU, with a thread for every usable core as the embedded engine has."""
    ort = import_onnxruntime("measuring")
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = usable_cores()
    # Otherwise its threads spin on the cores while the next run is measured.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    for name, value in options.items():
        setattr(settings, name, value)
    return ort.InferenceSession(model, settings, providers=[CPU])


def profile(
    model: bytes, feeds: Mapping[str, np.ndarray], *, runs: int = 1, optimised: bool = True
) -> list[list[NodeRun]]:
    """The nodes of each run of a serialised network; of several runs without the first.

    `optimised` is as it is served; else as it was exported, node by node.
    """
    ort = import_onnxruntime("measuring")
    level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL if optimised else ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with TemporaryDirectory(prefix="dirdet-bench-") as folder:
        session = session_of(
            model,
            graph_optimization_level=level,
            enable_profiling=True,
            profile_file_prefix=str(Path(folder) / "profile"),
        )
        for _ in range(runs):
            session.run(None, feeds)
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes = list(_nodes(events))
    each = len(nodes) // runs
    found = [nodes[start : start + each] for start in range(0, len(nodes), each)]
    return found[1:] if runs > 1 else found


def _nodes(events: list[dict[str, Any]]) -> Iterator[NodeRun]:
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            about = event["args"]
            inputs, outputs = (
                [shape for each in about.get(key, []) for shape in each.values()]
                for key in ("input_type_shape", "output_type_shape")
            )
            name = event["name"].removesuffix("_kernel_time")
            yield NodeRun(name, about["op_name"], inputs, outputs, event["dur"] / 1e6)


def cut(path: Path) -> Cut:
    """Cuts a detector.onnx by the names of its nodes.

    Raises:
        BundleError: the nodes do not name their modules.
    """
    model = onnx.load(str(path))
    made = {name for node in model.graph.node if node.name.startswith(TRUNK) for name in node.output}
    constants = {name for node in model.graph.node if node.op_type == "Constant" for name in node.output}
    read = {name for node in model.graph.node if node.name.startswith(ROI_STAGE) for name in node.input}
    between = [name for node in model.graph.node for name in node.output if name in (made & read) - constants]
    if not between:
        raise BundleError(f"{path}: expected nodes that are named {TRUNK}... and {ROI_STAGE}..., as exports have them")
    # The extractor needs types of these tensors, which ONNX does not infer for canvases of any size.
    model.graph.value_info.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in between)
    inputs = [tensor.name for tensor in model.graph.input]
    outputs = [tensor.name for tensor in model.graph.output]
    extractor = Extractor(model)
    trunk = extractor.extract_model(inputs, between)
    stage = extractor.extract_model([*between, *inputs], outputs)
    return Cut(trunk.SerializeToString(), stage.SerializeToString(), between)
