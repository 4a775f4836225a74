"""Trunk and RoI stage in one model of Triton's Python backend, without Triton: its answers, and what stays where."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dirdet.bundle.bundle import Bundle
from dirdet.bundle.shipped import open_bundle
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import CanvasBatch
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository
from dirdet.pictures.reading import read_picture

torch: Any = pytest.importorskip("torch", reason="the extra export is not installed")
dispatch: Any = importlib.import_module("torch.utils._python_dispatch")

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "dirdet.engines.triton.repository.python_models"
MODELS = [f"{PACKAGE}.{name}" for name in ("detector_network", "roi_stage_network", "onnx_session")]


class ModelError(Exception):
    """Triton's TritonModelException."""


class Tensor:
    """Triton's, of a name and values."""

    def __init__(self, values: Any) -> None:
        self.values = values

    @classmethod
    def from_dlpack(cls, _name: str, values: Any) -> "Tensor":
        return cls(values)

    def to_dlpack(self) -> Any:
        return torch.utils.dlpack.to_dlpack(self.values)


def tensor_of(request: dict[str, Tensor], name: str) -> Tensor:
    return request[name]


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    utils = SimpleNamespace(Tensor=Tensor, get_input_tensor_by_name=tensor_of, TritonModelException=ModelError)
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", utils)
    monkeypatch.setattr(sys, "path", sys.path[:])  # the model adds its folder
    yield importlib.import_module(MODELS[0])
    for name in MODELS:
        sys.modules.pop(name, None)


def arguments(folder: Path, kind: str = "CPU") -> dict[str, str]:
    return {
        "model_name": folder.name,
        "model_repository": str(folder),
        "model_version": "1",
        "model_instance_kind": kind,
        "model_instance_device_id": "3",
    }


class Copies(dispatch.TorchDispatchMode):
    """The largest tensor that is copied."""

    most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operator, wherever it is called."""
        aten = torch.ops.aten
        if func in (aten._to_copy.default, aten.clone.default, aten.copy_.default):
            self.most = max(self.most, args[-1].numel())
        return func(*args, **(kwargs or {}))


def test_it_answers_as_the_embedded_engine_and_copies_no_pyramid(code: Any, tmp_path: Path) -> None:
    bundle = open_bundle()
    write_repository(bundle, tmp_path, options=RepositoryOptions(detector_as="process"))
    model = code.TritonPythonModel()
    model.initialize(arguments(tmp_path / "scenes_detector"))
    engine = make_engine(bundle, provider="cpu")
    detector = Detector(bundle.manifest, engine)
    with (ROOT / "docs" / "example.jpg").open("rb") as file:
        picture = read_picture(file)
    placed = [detector.place(each) for each in (picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))]
    batch = CanvasBatch.of(placed, [detector.settle(DetectOptions(score_threshold=0.05))] * 2)
    columns = {
        "score_threshold": batch.score_threshold,
        "iou_weight": batch.iou_weight,
        "nms_iou_threshold": np.full(2, batch.nms_iou_threshold, np.float32),
    }
    given = {"canvas": batch.canvas, "picture_hw": batch.picture_hw}
    given |= {name: values.reshape(2, 1) for name, values in columns.items()}
    requests = [
        {name: Tensor(torch.from_numpy(values[row : row + 1])) for name, values in given.items()} for row in (0, 1)
    ]
    network = model._network
    seen: list[Any] = []

    def stage(*tensors: Any) -> Any:
        seen.extend(tensors)
        return network(*tensors)

    model._network = stage
    copies: Any = Copies()
    run = model._for_stage

    def counted(tensors: Any) -> Any:
        with copies:
            return run(tensors)

    model._for_stage = counted
    answers = model._run(requests)
    assert copies.most <= 2, "the pyramid is passed on where it is"
    assert [tensor.shape[0] for tensor in seen[:-1]] == [2] * (len(seen) - 1), "requests are one batch"

    expected = engine.detect(batch)
    for row, tensors in enumerate(answers):
        found = dict(zip(model._outputs, (each.values.numpy()[0] for each in tensors), strict=True))
        count = int(expected.num_candidates[row])
        assert found["num_candidates"][0] == count > 0
        np.testing.assert_allclose(np.sort(found["score"][:count]), np.sort(expected.score[row, :count]), atol=0.01)


def fake_onnxruntime(
    monkeypatch: pytest.MonkeyPatch, *, available: Sequence[str], started: str
) -> list[dict[str, Any]]:
    """Stands for the package; gives what each session is opened with."""
    opened: list[dict[str, Any]] = []

    def session(path: str, _options: Any, providers: list[Any]) -> Any:
        opened.append({"path": path, "providers": providers})
        return SimpleNamespace(get_providers=lambda: [started])

    module = SimpleNamespace(
        __version__="1.0",
        SessionOptions=SimpleNamespace,
        InferenceSession=session,
        get_available_providers=lambda: list(available),
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    return opened


CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def test_on_a_gpu_the_trunk_runs_on_the_stages_stream(
    code: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = fake_onnxruntime(monkeypatch, available=[CUDA, CPU], started=CUDA)
    code.onnx_session.open_session(arguments(tmp_path, "GPU"), {}, {"user_compute_stream": "140"})
    [(name, options), last] = opened[0]["providers"]
    assert (name, last) == (CUDA, CPU)
    assert options == {"device_id": "3", "cudnn_conv_algo_search": "HEURISTIC", "user_compute_stream": "140"}


@pytest.mark.parametrize(
    ("available", "said"),
    [([CPU], "built for the CPU; install onnxruntime-gpu"), ([CUDA, CPU], "could not start CUDAExecutionProvider")],
)
def test_a_gpu_that_onnx_runtime_cannot_use_is_told(
    available: list[str], said: str, code: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """ONNX Runtime itself would go on with the CPU."""
    fake_onnxruntime(monkeypatch, available=available, started=CPU)
    with pytest.raises(ModelError, match=said):
        code.onnx_session.open_session(arguments(tmp_path, "GPU"), {}, {})


def test_without_onnx_runtime_it_says_what_to_install(
    code: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="needs ONNX Runtime in the Python of Triton's Python backend"):
        code.onnx_session.open_session(arguments(tmp_path), {}, {})


def test_another_way_replaces_the_models_of_the_first(bundle_folder: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(bundle_folder)
    write_repository(bundle, tmp_path, options=RepositoryOptions())
    names = write_repository(bundle, tmp_path, options=RepositoryOptions(detector_as="process"), force=True)
    assert {path.name for path in tmp_path.iterdir()} == set(names) == {"scenes_detector", "scenes_detector_onnx"}
