"""How fast this machine multiplies matrices of a detector's sizes: the fastest of the installed libraries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

from dirdet_bench.export.onnx_profile import session_of
from dirdet_bench.harness.turns import seconds_of

Arithmetic: TypeAlias = Literal["float32", "bfloat16", "int8"]
ARITHMETICS: tuple[Arithmetic, ...] = ("float32", "bfloat16", "int8")
TRIES = 3


class Sizes(NamedTuple):
    """A product of [rows, inner] and [inner, columns]."""

    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        """Multiplications and additions, one each."""
        return 2 * self.rows * self.inner * self.columns

    def __str__(self) -> str:
        return f"{self.rows} x {self.inner} by {self.inner} x {self.columns}"


# ResNet-50-FPN's 3x3 convolutions on 800x1344 by im2col: layers 2 to 4 and the pyramid's second level; and the box
# head's first layer on 1,000 proposals.
DETECTORS_SIZES = (
    Sizes(16800, 1152, 128),
    Sizes(4200, 2304, 256),
    Sizes(1050, 4608, 512),
    Sizes(16800, 2304, 256),
    Sizes(1000, 12544, 1024),
)


@dataclass(frozen=True)
class Product:
    """A product of matrices by one library; `run` computes it once, on all cores."""

    library: str
    sizes: Sizes
    run: Callable[[], object]

    def __str__(self) -> str:
        return f"{self.library}, {self.sizes}"


def fastest(arithmetic: Arithmetic, sizes: tuple[Sizes, ...] = DETECTORS_SIZES) -> Product:
    """The product with the most FLOP/s, of all libraries and sizes; each is computed a few times."""
    best, rate = None, 0.0
    for each in sizes:
        for found in matrix_products(arithmetic, each):
            found.run()
            seconds = min(seconds_of(found.run) for _ in range(TRIES))
            if each.flops / seconds > rate:
                best, rate = found, each.flops / seconds
    if best is None:
        raise ValueError("sizes: expected at least one")
    return best


def matrix_products(arithmetic: Arithmetic, sizes: Sizes) -> Iterator[Product]:
    """The same product by PyTorch, ONNX Runtime and, in float32, NumPy's OpenBLAS.

    Matrices are of small integers, so that every library's product is exact.
    """
    rng = np.random.default_rng(0)
    one = rng.integers(0, 4, (sizes.rows, sizes.inner))
    other = rng.integers(-2, 3, (sizes.inner, sizes.columns))
    if arithmetic == "int8":
        left, right = torch.from_numpy(one.astype(np.int8)), torch.from_numpy(other.astype(np.int8))
        # Without oneDNN, PyTorch takes minutes for the large ones.
        if sizes.flops < 1e9:
            yield Product("PyTorch", sizes, lambda: torch._int_mm(left, right))  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        yield _by_onnxruntime("MatMulInteger", sizes, one.astype(np.uint8), other.astype(np.int8))
        return
    kind = torch.float32 if arithmetic == "float32" else torch.bfloat16
    a, b = torch.from_numpy(one).to(kind), torch.from_numpy(other).to(kind)
    yield Product("PyTorch", sizes, lambda: a @ b)
    if arithmetic == "float32":
        array, factor = a.numpy(), b.numpy()
        yield Product("NumPy", sizes, lambda: array @ factor)
        yield _by_onnxruntime("MatMul", sizes, array, factor)


def _by_onnxruntime(operator: str, sizes: Sizes, left: np.ndarray, right: np.ndarray) -> Product:
    """The right matrix is a constant, as weights are, which ONNX Runtime packs once."""
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.uint8): TensorProto.UINT8}
    result = TensorProto.FLOAT if operator == "MatMul" else TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", kinds[left.dtype], [sizes.rows, sizes.inner])],
        [helper.make_tensor_value_info("product", result, [sizes.rows, sizes.columns])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = session_of(model.SerializeToString())
    return Product("ONNX Runtime", sizes, lambda: session.run(None, {"left": left})[0])
