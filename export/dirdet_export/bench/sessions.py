"""Sessions of ONNX Runtime on all cores, as the embedded engine has them, with a profile if wanted."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dirdet.cores import usable_cores
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.providers import CPU


@dataclass(frozen=True)
class NodeRun:
    """What ONNX Runtime's profiler says of one run of a node.

    Attributes:
        name: of the node; it begins with the module that it was traced from.
        operator: its type.
        inputs: shapes.
        outputs: shapes.
        seconds: it took.
    """

    name: str
    operator: str
    inputs: list[list[int]]
    outputs: list[list[int]]
    seconds: float


def session_of(model: bytes, **options: Any) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """A session on the CPU with a thread for every usable core.

    Args:
        model: serialised.
        **options: attributes of ONNX Runtime's SessionOptions.
    """
    ort = import_onnxruntime("measuring")
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = usable_cores()
    # Its threads otherwise spin on the cores of what is measured next.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    for name, value in options.items():
        setattr(settings, name, value)
    return ort.InferenceSession(model, settings, providers=[CPU])


def profile(
    model: bytes, feeds: Mapping[str, np.ndarray], *, runs: int = 1, optimised: bool = True
) -> list[list[NodeRun]]:
    """Every node's run in each run of the network; the first is left out where there are several.

    Args:
        model: serialised.
        feeds: inputs.
        runs: of the network.
        optimised: as it is served; else as it was exported, node by node.
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
            told = event["args"]
            inputs, outputs = (
                [shape for each in told.get(key, []) for shape in each.values()]
                for key in ("input_type_shape", "output_type_shape")
            )
            name = event["name"].removesuffix("_kernel_time")
            yield NodeRun(name, told["op_name"], inputs, outputs, event["dur"] / 1e6)
