"""detector.onnx cut where the trunk ends: both parts of the very network that the embedded engine runs."""

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto, helper
from onnx.utils import Extractor

from dirdet.errors import BundleError

TRUNK, ROI_STAGE = "/trunk/", "/roi_stage/"


@dataclass(frozen=True)
class Cut:
    """The parts, serialised.

    Attributes:
        trunk: from the canvas to what the RoI stage reads.
        roi_stage: the rest.
        between: names of the tensors that the one hands to the other.
    """

    trunk: bytes
    roi_stage: bytes
    between: list[str]


def cut(path: Path) -> Cut:
    """Cuts a detector.onnx by the names of the modules that its nodes were traced from.

    Raises:
        BundleError: the nodes do not name them.
    """
    model = onnx.load(str(path))
    made = {name for node in model.graph.node if node.name.startswith(TRUNK) for name in node.output}
    constants = {name for node in model.graph.node if node.op_type == "Constant" for name in node.output}
    read = {name for node in model.graph.node if node.name.startswith(ROI_STAGE) for name in node.input}
    between = [name for node in model.graph.node for name in node.output if name in (made & read) - constants]
    if not between:
        raise BundleError(f"{path}: expected nodes that are named {TRUNK}... and {ROI_STAGE}..., as exports have them")
    # The extractor wants types of what it cuts, which inference through shapes of any canvas does not reach.
    model.graph.value_info.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in between)
    inputs = [tensor.name for tensor in model.graph.input]
    outputs = [tensor.name for tensor in model.graph.output]
    extractor = Extractor(model)
    trunk = extractor.extract_model(inputs, between)
    stage = extractor.extract_model([*between, *inputs], outputs)
    return Cut(trunk.SerializeToString(), stage.SerializeToString(), between)
