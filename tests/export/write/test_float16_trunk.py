"""trunk_float16.onnx: everything after the normalisation in float16, and close to the float32 trunk."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from dirdet.bundle.bundle import TRUNK, TRUNK_FLOAT16, Bundle
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.memory_pool import pyramid_bytes
from dirdet.engines.triton.repository.trunk import trunk_outputs
from dirdet.engines.triton.repository.writer import write_repository
from dirdet_export.errors import ExportError
from dirdet_export.write.files import write_bundle
from dirdet_export.write.float16_trunk import write_half_trunk

HEAVY = {"Conv", "DeformConv", "ConvTranspose", "MatMul", "Gemm"}


@pytest.fixture(scope="module", params=["dir", "htc_dir", "dcnv2_dir"])
def bundle(
    request: pytest.FixtureRequest, describe: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    specimen = request.getfixturevalue(f"{request.param}_specimen")
    folder = tmp_path_factory.mktemp("bundle")
    description = describe(specimen, fp16_trunk=True)
    write_bundle(folder, detector=copy.deepcopy(specimen.detector), limits=specimen.limits, description=description)
    return Bundle.open(folder)


def test_the_types_of_the_file_are_those_it_computes_in(bundle: Bundle) -> None:
    path = bundle.file(TRUNK_FLOAT16)
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    graph, kinds = model.graph, onnx.TensorProto
    types = {value.name: value.type.tensor_type.elem_type for value in [*graph.input, *graph.value_info, *graph.output]}
    types |= {each.name: each.data_type for each in graph.initializer}
    heavy = [node for node in graph.node if node.op_type in HEAVY]
    assert len(heavy) > 10
    # The type of a deformable convolution is not inferred by onnx.
    found = {types[name] for node in heavy for name in (*node.input, *node.output) if name in types}
    assert found == {kinds.FLOAT16}
    assert {types[value.name] for value in graph.output} == {kinds.FLOAT16}
    bytes_ = {name for name, kind in types.items() if kind == kinds.UINT8}
    assert [node.op_type for node in graph.node if bytes_ & {*node.input, *node.output}] == ["Cast"]
    assert path.stat().st_size < 0.6 * bundle.file(TRUNK).stat().st_size


def test_it_gives_what_the_float32_trunk_gives(bundle: Bundle) -> None:
    height, width = 96, 160
    pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    asked = {"canvas": pixels, "picture_hw": np.array([[height, width], [height - 9, width - 20]])}
    whole, half = (
        onnxruntime.InferenceSession(str(bundle.file(name)), providers=["CPUExecutionProvider"])
        for name in (TRUNK, TRUNK_FLOAT16)
    )
    assert [each.name for each in half.get_outputs()] == [each.name for each in whole.get_outputs()]
    for told, expected in zip(half.run(None, asked), whole.run(None, asked), strict=True):
        assert told.dtype == np.float16
        np.testing.assert_allclose(told, expected, rtol=0, atol=0.02 * np.abs(expected).max())


def test_triton_hands_over_half_the_bytes(bundle: Bundle, tmp_path: Path) -> None:
    whole, half = trunk_outputs(bundle), trunk_outputs(bundle, fp16=True)
    assert {tensor.dtype for tensor in half.tensors} == {"TYPE_FP16"}
    assert half.dims_on == whole.dims_on
    assert pyramid_bytes(half) * 2 == pyramid_bytes(whole)
    write_repository(bundle, tmp_path, options=RepositoryOptions(fp16=True))
    name = bundle.manifest.name
    assert (tmp_path / f"{name}_trunk" / "1" / "model.onnx").read_bytes() == bundle.file(TRUNK_FLOAT16).read_bytes()
    for model in (f"{name}_trunk", f"{name}_roi_stage"):
        text = (tmp_path / model / "config.pbtxt").read_text()
        assert len(re.findall(r"^  data_type: TYPE_FP16$", text, re.MULTILINE)) == len(half.tensors)


def test_a_weight_beyond_float16_is_refused(dir_specimen: Any, tmp_path: Path) -> None:
    detector = copy.deepcopy(dir_specimen.detector)
    convolution = next(part for part in detector.trunk.modules() if isinstance(part, nn.Conv2d))
    with torch.no_grad():
        convolution.weight[0, 0, 0, 0] = 7e4
    with pytest.raises(ExportError, match="weight reaches 70000"):
        write_half_trunk(detector, tmp_path / TRUNK_FLOAT16)
