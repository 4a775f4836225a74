"""roi_stage.safetensors: the very stage comes back from it, no code is in it, and what is no such file is refused."""

import copy
import inspect
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dirdet.bundle.bundle import ROI_STAGE, TRUNK
from dirdet_export.dissect.layers import plain_layers
from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.description import SETTINGS, build, describe
from dirdet_export.graph.roi_stage_file import HEADER, read_roi_stage
from dirdet_export.write import signature

CPU = torch.device("cpu")


def test_the_stage_that_is_read_computes_the_same_to_the_bit(
    specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., dict[str, Tensor]]
) -> None:
    read = read_roi_stage(bundle_of(specimen) / ROI_STAGE, CPU)
    detector, request = specimen.detector, ask(2)
    with torch.no_grad():
        maps = detector.trunk(request["canvas"], request["picture_hw"])
        names = [spec.name for spec in signature.inputs(predicts_iou=specimen.limits.predicts_iou)[1:]]
        tensors = [*maps, *(request[name] for name in names)]
        expected, found = detector.roi_stage(*tensors), read.stage(*tensors)
    for name, wanted, actual in zip(read.outputs, expected, found, strict=True):
        assert torch.equal(wanted, actual), name


def test_its_tensors_are_named_as_the_trunks_and_the_requests(specimen: Any, bundle_of: Callable[..., Path]) -> None:
    trunk = onnxruntime.InferenceSession(str(bundle_of(specimen) / TRUNK))
    read = read_roi_stage(bundle_of(specimen) / ROI_STAGE, CPU)
    request = [spec.name for spec in signature.inputs(predicts_iou=specimen.limits.predicts_iou)[1:]]
    assert read.inputs == [*(output.name for output in trunk.get_outputs()), *request]
    assert read.outputs[0] == "boxes"


def test_the_file_is_a_header_of_json_and_numbers(specimen: Any, bundle_of: Callable[..., Path]) -> None:
    path = bundle_of(specimen) / ROI_STAGE
    with path.open("rb") as file:
        [length] = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__")
    assert list(metadata) == [HEADER]
    assert set(json.loads(metadata[HEADER])) == {"stage", "inputs", "outputs"}
    assert {each["dtype"] for each in header.values()} <= {"F32", "I64"}
    assert path.stat().st_size == 8 + length + max(each["data_offsets"][1] for each in header.values())


def parameters_of(kind: type) -> dict[str, inspect.Parameter]:
    """Of a constructor, and of those that it hands the rest on to."""
    found: dict[str, inspect.Parameter] = {}
    for each in kind.__mro__:
        parameters = inspect.signature(each).parameters
        found |= {name: value for name, value in parameters.items() if value.kind is not value.VAR_KEYWORD}
        if all(value.kind is not value.VAR_KEYWORD for value in parameters.values()):
            break
    return found


def test_settings_are_what_constructors_take() -> None:
    for kind, names in SETTINGS.items():
        parameters = parameters_of(kind)
        assert set(names) <= set(parameters), kind
        needed = {name for name, each in parameters.items() if each.default is each.empty}
        assert needed <= set(names), kind


def test_a_description_describes_what_is_built_from_it(specimen: Any) -> None:
    told = json.loads(json.dumps(describe(specimen.detector.roi_stage)))
    assert describe(build(told)) == told


def _without(told: Any, name: str) -> None:
    del told[name]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda told: told.update(part="Module"), "unknown part 'Module'"),
        (lambda told: told.update(part="os.system"), "unknown part 'os.system'"),
        (lambda told: told.update(part=None), "unknown part None"),
        (lambda told: told.update(part=["RoIStage"]), "unknown part"),
        (lambda told: told.update(forward="print"), "RoIStage has .*forward.*, expected"),
        (lambda told: _without(told, "levels"), "RoIStage has .*, expected .*levels"),
        (lambda told: told.update(proposals=None), "no RoI stage"),
        (lambda told: told["proposals"].update(base_anchors="x"), "no RoI stage"),
        (lambda told: told["proposals"].update(iou_threshold={"part": "Linear"}), "Linear has no settings"),
        (
            lambda told: told.update(candidates=told["proposals"]["decoder"]),
            r"are \[.*\] in the file and none",
        ),
        (lambda told: told["dir_head"]["purity"].update(layers=3), "no RoI stage"),
        (lambda told: told["dir_head"]["purity"].update(layers=[1]), "no RoI stage"),
        (lambda told: told["dir_head"]["purity"]["layers"][0].update(in_features=-1), "no RoI stage"),
        (lambda told: told["dir_head"]["purity"]["layers"][0].update(in_features="x"), "no RoI stage"),
        (lambda told: told["dir_head"]["purity"]["layers"][0].update(out_features=3), r"are \[256\] .* and \[3\]"),
        # 4 TB, and more than a number of bytes can tell.
        (lambda told: told["dir_head"]["purity"]["layers"][0].update(out_features=2**30), r"and \[1073741824"),
        (lambda told: told["dir_head"]["purity"]["layers"][0].update(out_features=2**60), "no RoI stage"),
        (lambda told: told.update(padding=" " * 2**22), "more than 4194304 characters"),
    ],
)
def test_what_describes_no_stage_is_refused(
    spoil: Callable[[Any], None], why: str, dir_specimen: Any, bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    with safe_open(str(bundle_of(dir_specimen) / ROI_STAGE), framework="pt") as file:
        header = json.loads(file.metadata()[HEADER])
    spoil(header["stage"])
    save_file(dir_specimen.detector.roi_stage.state_dict(), str(tmp_path / ROI_STAGE), {HEADER: json.dumps(header)})
    with pytest.raises(ValueError, match=rf"roi_stage\.safetensors holds no RoI stage that this can run: .*{why}"):
        read_roi_stage(tmp_path / ROI_STAGE, CPU)


def test_a_part_in_a_parts_place_runs_no_code_of_the_file(dir_specimen: Any) -> None:
    told = describe(dir_specimen.detector.roi_stage)
    with pytest.raises(ValueError, match="but a Flatten"):
        build({"part": "Flatten"})
    deep: Any = {"part": "Sequential", "layers": []}
    for _ in range(5000):
        deep = {"part": "Sequential", "layers": [deep]}
    with pytest.raises(ValueError, match="this describes no RoI stage"):
        build(told | {"dir_head": deep})


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 8, b"PK\3\4" + b"\0" * 100, b"\xff" * 64, struct.pack("<Q", 2) + b"{}"]
)
def test_what_is_no_such_file_is_refused(content: bytes, tmp_path: Path) -> None:
    """Nothing, zeros, the beginning of a TorchScript archive, an endless header, no description."""
    (tmp_path / ROI_STAGE).write_bytes(content)
    with pytest.raises(ValueError, match=r"roi_stage\.safetensors holds no RoI stage that this can run"):
        read_roi_stage(tmp_path / ROI_STAGE, CPU)


def test_weights_of_another_stage_are_refused(dir_specimen: Any, tmp_path: Path) -> None:
    stage = copy.deepcopy(dir_specimen.detector.roi_stage)
    header = {"stage": describe(stage), "inputs": [], "outputs": []}
    weights = stage.state_dict()
    weights.pop(next(iter(weights)))
    save_file(weights, str(tmp_path / ROI_STAGE), {HEADER: json.dumps(header)})
    with pytest.raises(ValueError, match=r"holds no RoI stage that this can run: .* none in the file"):
        read_roi_stage(tmp_path / ROI_STAGE, CPU)


@pytest.mark.parametrize("layer", [nn.Sigmoid(), nn.LSTM(2, 2), nn.Dropout()])
def test_a_head_of_other_layers_is_refused_by_name(layer: nn.Module) -> None:
    with pytest.raises(UnsupportedError, match=f"roi_head.bbox_head of Linear, .*has {type(layer).__name__}"):
        plain_layers([nn.Linear(2, 2), layer], name="roi_head.bbox_head")
