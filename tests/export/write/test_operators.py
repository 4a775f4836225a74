"""Operators of the exported graphs that TensorRT would refuse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from dirdet.bundle.bundle import DETECTOR, TRUNK
from dirdet.bundle.shipped import default_bundle


def touching_bytes(path: Path) -> list[str]:
    """Types of the operators that take or give uint8, in the graph's order."""
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    graph = model.graph
    values = [*graph.input, *graph.value_info, *graph.output]
    typed = {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.UINT8}
    typed |= {each.name for each in graph.initializer if each.data_type == onnx.TensorProto.UINT8}
    return [node.op_type for node in graph.node if typed & {*node.input, *node.output}]


@pytest.mark.parametrize("name", [DETECTOR, TRUNK])
def test_bytes_are_cast_and_nothing_else(name: str, specimen: Any, bundle_of: Callable[..., Path]) -> None:
    """TensorRT takes uint8 as a network's input, for a Cast alone."""
    assert touching_bytes(bundle_of(specimen) / name) == ["Cast"]


@pytest.mark.parametrize("name", [DETECTOR, TRUNK])
def test_bytes_are_cast_and_nothing_else_in_the_shipped_detector(name: str) -> None:
    assert touching_bytes(default_bundle() / name) == ["Cast"]


def test_an_operator_on_bytes_is_noticed(tmp_path: Path) -> None:
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Transpose", ["canvas"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["turned"], ["pixels"], to=kinds.FLOAT),
    ]
    canvas = helper.make_tensor_value_info("canvas", kinds.UINT8, ["B", "H", "W", 3])
    pixels = helper.make_tensor_value_info("pixels", kinds.FLOAT, ["B", 3, "H", "W"])
    onnx.save(helper.make_model(helper.make_graph(nodes, "turns", [canvas], [pixels])), str(tmp_path / "turns.onnx"))
    assert touching_bytes(tmp_path / "turns.onnx") == ["Transpose", "Cast"]
