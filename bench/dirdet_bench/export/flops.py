"""Floating-point operations of a network's nodes, by their shapes in a run, and shares of its time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from statistics import median

from dirdet_bench.export.onnx_profile import NodeRun

CONVOLUTIONS = frozenset({"Conv", "FusedConv", "DeformConv"})
PRODUCTS = frozenset({"Gemm", "FusedGemm", "MatMul", "FusedMatMul"})


@dataclass(frozen=True)
class Share:
    """Seconds and FLOPs of one kind of operator in one run of a network."""

    kind: str
    seconds: float
    flops: int


def flops_of(node: NodeRun) -> int:
    """Multiplications and additions, one each, of convolutions and products of matrices; 0 for other operators."""
    if node.operator in CONVOLUTIONS:
        weights = node.inputs[1]  # [C', C / groups, kh, kw]
        return 2 * prod(node.outputs[0]) * prod(weights[1:])
    if node.operator == "ConvTranspose":
        weights = node.inputs[1]  # [C, C' / groups, kh, kw]
        return 2 * prod(node.inputs[0]) * prod(weights[1:])
    if node.operator in PRODUCTS:
        # Whether or not Gemm transposes its left matrix.
        rows_columns = node.outputs[0]  # [..., R, C]
        inner = prod(node.inputs[0][-2:]) // rows_columns[-2]
        return 2 * prod(rows_columns) * inner
    return 0


def total_flops(nodes: Iterable[NodeRun]) -> int:
    """Of all nodes."""
    return sum(flops_of(node) for node in nodes)


def kind_of(node: NodeRun) -> str:
    """The operator, a convolution with its kernel."""
    if node.operator not in CONVOLUTIONS:
        return node.operator.removeprefix("Fused")
    channels, weights = node.inputs[0][1], node.inputs[1]
    depthwise = ", depthwise" if channels > 1 and weights[1] == 1 else ""
    return f"Conv {weights[2]}x{weights[3]}{depthwise}"


def shares(served: Sequence[Sequence[NodeRun]], exported: Iterable[NodeRun]) -> list[Share]:
    """Shares by kind of operator, largest first: median seconds of runs as served, FLOPs of the nodes as exported."""
    seconds: list[defaultdict[str, float]] = []
    for nodes in served:
        seconds.append(defaultdict(float))
        for node in nodes:
            seconds[-1][kind_of(node)] += node.seconds
    flops = Counter[str]()
    for node in exported:
        flops[kind_of(node)] += flops_of(node)
    found = [Share(kind, median(run[kind] for run in seconds), flops[kind]) for kind in seconds[0]]
    return sorted(found, key=lambda share: -share.seconds)
