"""The curve of proposals: a bundle's detector.onnx with other numbers of them and the same weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

from dirdet.bundle.bundle import DETECTOR, Bundle
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet_bench.harness.canvases import canvas_batch
from dirdet_bench.harness.turns import results_in_turns
from dirdet_bench.serving.curves import Curve
from dirdet_bench.serving.engine_curves import detect_repeatedly
from dirdet_export.errors import UnsupportedError

# Of the detector's own number.
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
STAGE = "/roi_stage/proposals/"


def own_proposals(model: onnx.ModelProto) -> int:
    """How many proposals an exported detector keeps.

    Raises:
        UnsupportedError: the graph does not say.
    """
    return int(numpy_helper.to_array(_most_kept(model).attribute[0].t)[0])


def with_proposals(model: onnx.ModelProto, count: int) -> None:
    """Makes an exported detector keep so many, in place: the limit of its NMS, and how many of its boxes are taken.

    Raises:
        UnsupportedError: the graph does not say how many it keeps, or has no room for so many.
    """
    most = _most_kept(model)
    own = numpy_helper.to_array(most.attribute[0].t)
    if count > int(own[0]):
        raise UnsupportedError(f"expected at most its own {own[0]} proposals, found {count}; export it again")
    taken = [
        node
        for node in model.graph.node
        if node.op_type == "Constant" and node.output[0].startswith(STAGE) and _is(node, int(own[0]))
    ]
    if not taken:
        raise UnsupportedError(f"expected a constant {own[0]} below {STAGE} that says what is taken of the kept boxes")
    for node in (most, *taken):
        values = numpy_helper.to_array(node.attribute[0].t)
        node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.full_like(values, count)))


def engine_with_proposals(bundle: Bundle, count: int) -> Engine:
    """The embedded engine of a bundle that keeps another number of proposals.

    Raises:
        UnsupportedError: the bundle's graph does not say how many it keeps.
    """
    model = onnx.load(str(bundle.file(DETECTOR)))
    with_proposals(model, count)
    with TemporaryDirectory(prefix="dirdet-bench-") as place:
        onnx.save(model, str(Path(place) / DETECTOR))
        return make_engine(Bundle(Path(place), bundle.manifest), several=True)


def proposal_curve(
    bundle: Bundle, picture: Image.Image, rounds: int, *, pictures: int, shares: Sequence[float] = SHARES
) -> Curve:
    """One picture at a time, with a tenth of the proposals to all of them; the knee is the most that cost little.

    Raises:
        UnsupportedError: the bundle's graph does not say how many it keeps.
    """
    one = canvas_batch(picture, bundle.manifest)
    own = own_proposals(onnx.load(str(bundle.file(DETECTOR))))
    runs: dict[float, Callable[[], float]] = {}
    for count in sorted({max(1, round(share * own)) for share in shares}):
        runs[float(count)] = detect_repeatedly(engine_with_proposals(bundle, count), one, times=pictures)
    rates = results_in_turns(runs, rounds, warm_up=1, label="proposals")
    return Curve("detector: proposals", rates, default=float(own), knee_is="up to", chosen=False)


def _most_kept(model: onnx.ModelProto) -> Any:  # noqa: ANN401 - a NodeProto
    """The constant that bounds what the proposals' NMS keeps."""
    constants = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
    for node in model.graph.node:
        if node.op_type == "NonMaxSuppression" and node.name.startswith(STAGE) and node.input[2] in constants:
            return constants[node.input[2]]
    raise UnsupportedError(f"expected a NonMaxSuppression below {STAGE} with a constant number of boxes, found none")


def _is(node: Any, value: int) -> bool:  # noqa: ANN401 - a NodeProto
    values = numpy_helper.to_array(node.attribute[0].t)
    return values.size == 1 and values.dtype == np.int64 and int(values.reshape(())) == value
