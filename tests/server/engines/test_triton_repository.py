"""A bundle as a model repository, read with Triton's own definition of its configurations."""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import Bundle, Manifest
from dirdet.commands.triton import command
from dirdet.engines.triton.models import NETWORK, ModelNames, network_digest
from dirdet.engines.triton.repository.config import OnnxRuntimeIn, RepositoryOptions
from dirdet.engines.triton.repository.pbtxt import Word, render
from dirdet.engines.triton.repository.stage_code import MODULES
from dirdet.engines.triton.repository.writer import write_repository
from dirdet.errors import BundleError, DirdetError

PB: Any = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="the extra triton is not installed")
text_format: Any = importlib.import_module("google.protobuf.text_format")
MODELS = ["scenes_trunk", "scenes_roi_stage", "scenes_detector", "scenes_detector_onnx"]


def parse(folder: Path) -> Any:
    """The configuration of a model; an unknown field or value is an error."""
    return text_format.Parse((folder / "config.pbtxt").read_text(), PB.ModelConfig())


def call(*arguments: object) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if isinstance(result.exception, DirdetError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module", params=["backend", "python"])
def onnxruntime(request: pytest.FixtureRequest) -> OnnxRuntimeIn:
    return request.param


@pytest.fixture(scope="module")
def repository(bundle_folder: Path, onnxruntime: OnnxRuntimeIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("repository")
    options = RepositoryOptions(onnxruntime=onnxruntime, instances=2, max_batch=16)
    assert write_repository(Bundle.open(bundle_folder), out, options=options) == MODELS
    return out


@pytest.fixture(scope="module")
def configs(repository: Path) -> dict[str, Any]:
    return {name: parse(repository / name) for name in MODELS}


def dims(tensors: Any) -> dict[str, list[int]]:
    return {tensor.name: list(tensor.dims) for tensor in tensors}


def test_every_model_has_its_files(repository: Path, onnxruntime: OnnxRuntimeIn) -> None:
    shared = {"model.py", "answering.py", "rows.py", "memory.py"}
    python = shared | {"onnx_session.py"} if onnxruntime == "python" else set[str]()
    expected = {
        "scenes_trunk": {"model.onnx"} | python,
        "scenes_roi_stage": shared | {"model.safetensors", "dirdet_export", "dirdet_training"},
        "scenes_detector": set[str](),
        "scenes_detector_onnx": {"model.onnx"} | python,
    }
    assert {path.name for path in repository.iterdir()} == set(MODELS)
    for name, files in expected.items():
        assert {path.name for path in (repository / name / "1").iterdir()} == files, name


def test_what_batches_batches_canvases_of_one_size(configs: dict[str, Any]) -> None:
    for name in ("scenes_trunk", "scenes_roi_stage"):
        config = configs[name]
        assert config.max_batch_size == 16
        policy = config.dynamic_batching.default_queue_policy
        assert policy.allow_timeout_override
        assert policy.default_timeout_microseconds > 0, "0 could not be shortened by a request"
        # A ragged tensor would let Triton join canvases of different sizes.
        assert not any(tensor.allow_ragged_batch for tensor in config.input)
        assert config.instance_group[0].count == 2


def test_one_piece_batches_where_its_threshold_can_differ(configs: dict[str, Any], onnxruntime: OnnxRuntimeIn) -> None:
    config = configs["scenes_detector_onnx"]
    if onnxruntime == "python":
        assert config.HasField("dynamic_batching")
        assert dims(config.input) == dims(configs["scenes_detector"].input)
    else:
        assert config.max_batch_size == 0
        assert not config.HasField("dynamic_batching")
        assert dims(config.input)["canvas"] == [-1, -1, -1, 3]
        assert dims(config.input)["nms_iou_threshold"] == [1]
        assert dims(config.output)["num_detections"] == [-1]


def test_shapes_are_those_of_the_bundle(configs: dict[str, Any], bundle_folder: Path) -> None:
    manifest = Bundle.open(bundle_folder).manifest
    detector = configs["scenes_detector"]
    assert list(dims(detector.input)) == [spec.name for spec in manifest.inputs]
    assert dims(detector.input)["canvas"] == [-1, -1, 3]
    assert dims(detector.output)["boxes"] == [manifest.max_candidates, 4]
    assert dims(detector.output)["kept"] == [manifest.max_detections]
    assert dims(configs["scenes_trunk"].output)["level_0"][1:] == [-1, -1]


def test_the_ensemble_fits_its_parts(configs: dict[str, Any]) -> None:
    ensemble = configs["scenes_detector"]
    known = dims(ensemble.input)
    for step in ensemble.ensemble_scheduling.step:
        part = configs[step.model_name]
        assert part.max_batch_size == ensemble.max_batch_size
        assert {inside: known[outside] for inside, outside in step.input_map.items()} == dims(part.input)
        known |= {outside: dims(part.output)[inside] for inside, outside in step.output_map.items()}
        assert set(step.output_map) == set(dims(part.output))
    assert dims(ensemble.output).items() <= known.items()


def test_every_canvas_is_warmed_up_with_whole_shapes(configs: dict[str, Any], bundle_folder: Path) -> None:
    canvases = Bundle.open(bundle_folder).manifest.canvases
    for name in ("scenes_trunk", "scenes_roi_stage", "scenes_detector_onnx"):
        config = configs[name]
        batches = [1, 16] if config.max_batch_size else [1]
        wanted = [(size, batch) for size in canvases for batch in batches]
        assert [sample.batch_size for sample in config.model_warmup] == [batch for _, batch in wanted]
        assert all(
            sample.name.startswith(f"{size.height}x{size.width}")
            for sample, (size, _) in zip(config.model_warmup, wanted, strict=True)
        )
        for sample in config.model_warmup:
            assert set(sample.inputs) == set(dims(config.input))
            for tensor, value in sample.inputs.items():
                declared = dims(config.input)[tensor]
                assert all(side > 0 for side in value.dims)
                assert all(side in (-1, found) for side, found in zip(declared, value.dims, strict=True)), tensor


NUMPY = {"TYPE_FP32": np.float32, "TYPE_INT64": np.int64, "TYPE_UINT8": np.uint8}


def values_of(sample: Any, folder: Path) -> dict[str, Any]:
    """Arrays of a warm-up, without the batch where Triton adds it."""
    found: dict[str, Any] = {}
    for name, value in sample.inputs.items():
        kind = NUMPY[PB.DataType.Name(value.data_type)]
        if value.input_data_file:
            content = (folder / "warmup" / value.input_data_file).read_bytes()
            found[name] = np.frombuffer(content, kind).reshape(value.dims)
        else:
            found[name] = np.full(list(value.dims), 0 if value.zero_data else 77, kind)
        assert value.random_data <= (kind == np.uint8), "random bytes are no numbers for floats"
    return found


def test_boxes_survive_a_warm_up(repository: Path, configs: dict[str, Any]) -> None:
    """Else it would warm up neither the heads nor the second NMS."""
    torch = importlib.import_module("torch")
    reader = importlib.import_module("dirdet_export.graph.roi_stage_file")
    config, folder = configs["scenes_roi_stage"], repository / "scenes_roi_stage"
    read = reader.read_roi_stage(folder / "1" / "model.safetensors", torch.device("cpu"))
    for sample in config.model_warmup:
        values = values_of(sample, folder)
        rows = [torch.from_numpy(values[name].copy())[None].repeat_interleave(2, 0) for name in read.inputs]
        feeds = [each.flatten() if each.shape[1:] == (1,) else each for each in rows]
        with torch.inference_mode():
            found = dict(zip(read.outputs, read.stage(*feeds[:-1], feeds[-1][0]), strict=True))
        assert (found["num_candidates"] > 0).all()
        assert (found["num_detections"] > 0).all()


def test_the_stage_takes_tensors_where_they_are(configs: dict[str, Any]) -> None:
    parameters = configs["scenes_roi_stage"].parameters
    assert parameters["FORCE_CPU_ONLY_INPUT_TENSORS"].string_value == "no"


def test_every_model_names_its_network(configs: dict[str, Any], bundle_folder: Path) -> None:
    digest = network_digest(Bundle.open(bundle_folder).manifest)
    assert {config.parameters[NETWORK].string_value for config in configs.values()} == {digest}


def test_the_digest_is_of_the_network_alone(manifest: Manifest) -> None:
    files = {"detector.onnx": "1", "trunk.onnx": "2", "roi_stage.safetensors": "3", "README.md": "4"}
    before = network_digest(manifest.model_copy(update={"files": files}))
    assert before == network_digest(manifest.model_copy(update={"files": files | {"README.md": "5"}}))
    assert before != network_digest(manifest.model_copy(update={"files": files | {"trunk.onnx": "5"}}))


def test_text_format_takes_any_name() -> None:
    message = {
        "name": 'a "b"\\ \u00fc\n',
        "max_batch_size": 3,
        "input": [{"data_type": Word("TYPE_FP32"), "dims": [-1]}],
    }
    config = text_format.Parse(render(message), PB.ModelConfig())
    assert config.name == 'a "b"\\ \u00fc\n'
    assert config.input[0].data_type == PB.TYPE_FP32


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    out = tmp_path / "models" / "repository"
    assert call("--out", out) == f"wrote {', '.join(MODELS)} to {out}\n"
    with pytest.raises(BundleError, match=r"has scenes_trunk, .* already; --force replaces them"):
        call("--out", out)


def test_force_replaces_its_own_models_only(tmp_path: Path) -> None:
    call("--out", tmp_path)
    other, left_over = tmp_path / "other_trunk" / "1", tmp_path / "scenes_trunk" / "2"
    other.mkdir(parents=True)
    left_over.mkdir()
    call("--out", tmp_path, "--force")
    assert other.is_dir()
    assert not left_over.exists()


def test_a_bundle_in_one_piece_cannot_be_cut(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no trunk\.onnx in this bundle"):
        write_repository(Bundle(tmp_path, manifest), tmp_path / "out", options=RepositoryOptions())
    assert not (tmp_path / "out").exists()


def test_a_bundle_of_an_older_dirdet_is_told_what_to_do(bundle_folder: Path, tmp_path: Path) -> None:
    """Its roi_stage.pt is TorchScript, which runs code when it is loaded."""
    folder = tmp_path / "old"
    shutil.copytree(bundle_folder, folder)
    (folder / "roi_stage.safetensors").rename(folder / "roi_stage.pt")
    text = (folder / "bundle.json").read_text().replace("roi_stage.safetensors", "roi_stage.pt")
    (folder / "bundle.json").write_text(text)
    with pytest.raises(
        BundleError, match=r"expected roi_stage\.safetensors, found roi_stage\.pt .* export the detector again"
    ):
        call(folder, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_stages_code_is_all_that_it_imports(repository: Path) -> None:
    """Loaded by a Python that has torch, torchvision and safetensors, and no dirdet."""
    folder = repository / "scenes_roi_stage" / "1"
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]; from pathlib import Path; import torch;"
        "from dirdet_export.graph.roi_stage_file import read_roi_stage;"
        "read = read_roi_stage(Path(sys.argv[1], 'model.safetensors'), torch.device('cpu'));"
        "print(type(read.stage).__name__, *{m.split('.')[0] for m in sys.modules if m.startswith(('dirdet', 'mm'))})"
    )
    site = str(Path(str(importlib.import_module("torch").__file__)).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "ignore", "-c", script, str(folder), site], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"RoIStage", "dirdet_export", "dirdet_training", "mmap"}
    code = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}
    assert set(MODULES) <= code


def test_a_file_in_the_repositorys_place(bundle_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="found a file"):
        write_repository(Bundle.open(bundle_folder), tmp_path / "file", options=RepositoryOptions())


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no other file system to write to")
def test_the_repository_may_be_another_file_system_than_its_parent(bundle_folder: Path, tmp_path: Path) -> None:
    """As where a volume is mounted there: nothing can be renamed into it from outside."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (tmp_path / "models").symlink_to(elsewhere)
        names = write_repository(Bundle.open(bundle_folder), tmp_path / "models", options=RepositoryOptions())
        assert sorted(path.name for path in (tmp_path / "models").iterdir()) == sorted(names)


def test_names_say_whose_they_are() -> None:
    assert [*ModelNames("scenes").all] == MODELS
