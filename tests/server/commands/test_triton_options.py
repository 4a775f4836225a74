"""Every combination of what `dirdet triton` can be told, read with Triton's own definition of its configurations."""

import importlib
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import Bundle, CanvasSize, Manifest
from dirdet.commands.triton import command
from dirdet.engines.triton.model_tensors import Tensor
from dirdet.engines.triton.repository.accelerators import tensorrt
from dirdet.engines.triton.repository.config import (
    Accelerator,
    DetectorAs,
    OnnxRuntimeIn,
    RepositoryOptions,
    detector_config,
    detector_in_process_config,
    detector_onnx_config,
    roi_stage_config,
    trunk_config,
)
from dirdet.engines.triton.repository.pbtxt import Message, render
from dirdet.engines.triton.repository.trunk import TrunkOutputs, trunk_outputs
from dirdet.errors import BundleError, ParameterError

PB: Any = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="the extra triton is not installed")
text_format: Any = importlib.import_module("google.protobuf.text_format")
CACHE = PurePosixPath("/var/cache/engines")
# What the ONNX Runtime backend of 2.51 and of 26.08 knows; another name keeps the model from loading.
TENSORRT_KEYS = {
    "trt_engine_cache_enable",
    "trt_engine_cache_path",
    "trt_force_sequential_engine_build",
    "trt_profile_max_shapes",
    "trt_profile_min_shapes",
    "trt_profile_opt_shapes",
}
COMBINATIONS = list(
    product(
        get_args(OnnxRuntimeIn),
        get_args(DetectorAs),
        get_args(Accelerator),
        [False, True],
        [None, CACHE],
        [1, 3],
        [8, 16],
    )
)


def options_of(combination: tuple[Any, ...]) -> RepositoryOptions:
    onnxruntime, detector_as, accelerator, fp16, cache, instances, max_batch = combination
    return RepositoryOptions(
        onnxruntime=onnxruntime,
        instances=instances,
        max_batch=max_batch,
        detector_as=detector_as,
        accelerator=accelerator,
        fp16=fp16,
        engine_cache=cache,
    )


def makes_sense(combination: tuple[Any, ...]) -> bool:
    onnxruntime, detector_as, accelerator, _, cache, *_ = combination
    return (onnxruntime, detector_as) == ("backend", "ensemble") if accelerator == "tensorrt" else cache is None


@pytest.fixture(scope="module")
def manifest(bundle_folder: Path) -> Manifest:
    return Bundle.open(bundle_folder).manifest


@pytest.fixture(scope="module")
def trunk(bundle_folder: Path) -> TrunkOutputs:
    return trunk_outputs(Bundle.open(bundle_folder))


def parse(config: Message) -> Any:
    """An unknown field or value is an error."""
    return text_format.Parse(render(config), PB.ModelConfig())


@pytest.mark.parametrize("combination", [each for each in COMBINATIONS if makes_sense(each)], ids=str)
def test_triton_can_read_every_configuration(
    combination: tuple[Any, ...], manifest: Manifest, trunk: TrunkOutputs
) -> None:
    options = options_of(combination)
    if options.detector_as == "process":
        configs = [parse(detector_in_process_config(manifest, options))]
    else:
        configs = [
            parse(trunk_config(manifest, trunk, options)),
            parse(roi_stage_config(manifest, trunk, options)),
            parse(detector_config(manifest, trunk, options)),
        ]
    assert [config.max_batch_size for config in configs] == [options.max_batch] * len(configs)
    configs.append(parse(detector_onnx_config(manifest, options)))
    accelerated = [config.name for config in configs if config.optimization.ByteSize()]
    assert accelerated == (["scenes_trunk"] if options.accelerator == "tensorrt" else [])
    computing = [config for config in configs if config.platform != "ensemble"]
    assert [group.count for config in computing for group in config.instance_group] == [
        options.instances for _ in computing
    ]


@pytest.mark.parametrize("combination", [each for each in COMBINATIONS if not makes_sense(each)], ids=str)
def test_what_would_have_no_effect_is_refused(combination: tuple[Any, ...]) -> None:
    with pytest.raises(ParameterError, match=r"tensorrt"):
        options_of(combination)


def accelerator_of(config: Any) -> dict[str, str]:
    [accelerator] = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    return dict(accelerator.parameters)


@pytest.mark.parametrize(("fp16", "cache"), list(product([False, True], [None, CACHE])))
def test_tensorrt_is_told_what_the_backend_knows(
    fp16: bool, cache: PurePosixPath | None, manifest: Manifest, trunk: TrunkOutputs
) -> None:
    options = RepositoryOptions(accelerator="tensorrt", fp16=fp16, engine_cache=cache, max_batch=16)
    config = parse(trunk_config(manifest, trunk, options))
    parameters = accelerator_of(config)
    assert parameters.keys() == (
        TENSORRT_KEYS if cache else TENSORRT_KEYS - {"trt_engine_cache_enable", "trt_engine_cache_path"}
    )
    assert "precision_mode" not in parameters, "TensorRT 11 knows no such switch"
    assert [group.kind for group in config.instance_group] == [PB.ModelInstanceGroup.KIND_GPU]
    assert config.parameters["cudnn_conv_algo_search"].string_value == "1", "for what TensorRT leaves to CUDA"
    if cache:
        assert parameters["trt_engine_cache_path"].startswith("/var/cache/engines/scenes-")


def shapes(text: str) -> dict[str, list[int]]:
    parts = [part.split(":") for part in text.split(",")]
    return {name: [int(side) for side in dims.split("x")] for name, dims in parts}


@pytest.mark.parametrize("canvases", [[(256, 320), (320, 256)], [(800, 1344)], [(64, 64), (800, 1344), (1344, 800)]])
def test_the_profile_holds_every_canvas_in_every_batch(canvases: list[tuple[int, int]]) -> None:
    inputs = [Tensor("canvas", "TYPE_UINT8", (-1, -1, 3)), Tensor("picture_hw", "TYPE_INT64", (2,))]
    sizes = [CanvasSize(height=height, width=width) for height, width in canvases]
    optimization = tensorrt(inputs, sizes, max_batch=8, engine_cache=None, network="x")
    parameters = accelerator_of(parse(optimization))
    least, best, most = (shapes(parameters[f"trt_profile_{which}_shapes"]) for which in ("min", "opt", "max"))
    assert least.keys() == best.keys() == most.keys() == {"canvas", "picture_hw"}
    for batch, (height, width) in product([1, 8], canvases):
        for name, seen in {"canvas": [batch, height, width, 3], "picture_hw": [batch, 2]}.items():
            assert all(low <= side <= high for low, side, high in zip(least[name], seen, most[name], strict=True))
    assert tuple(best["canvas"][1:3]) in canvases
    assert best["canvas"][0] == 8


def test_another_network_has_other_engines(manifest: Manifest, trunk: TrunkOutputs) -> None:
    options = RepositoryOptions(accelerator="tensorrt", engine_cache=CACHE)
    retrained = manifest.model_copy(update={"files": manifest.files | {"trunk.onnx": "0" * 64}})
    before, after = (parse(trunk_config(each, trunk, options)) for each in (manifest, retrained))
    assert accelerator_of(before)["trt_engine_cache_path"] != accelerator_of(after)["trt_engine_cache_path"]


def test_the_command(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--accelerator", "tensorrt", "--engine-cache", "/engines"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    config = text_format.Parse((tmp_path / "scenes_trunk" / "config.pbtxt").read_text(), PB.ModelConfig())
    assert accelerator_of(config)["trt_engine_cache_path"].startswith("/engines/scenes-")


def test_float16_needs_a_bundle_that_has_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "out"), "--fp16"])
    assert isinstance(result.exception, BundleError)
    assert "--fp16 serves trunk_float16.onnx, which this bundle does not have" in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--engine-cache", "/engines"], "engine_cache: is for --accelerator tensorrt"),
        (["--accelerator", "tensorrt", "--engine-cache", "engines"], "expected an absolute path, got 'engines'"),
        (["--accelerator", "tensorrt", "--onnxruntime", "python"], "tensorrt is for --onnxruntime backend"),
    ],
)
def test_the_command_says_what_does_not_go_together(arguments: list[str], told: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "out"), *arguments])
    assert isinstance(result.exception, ParameterError)
    assert told in str(result.exception)
    assert not (tmp_path / "out").exists()
