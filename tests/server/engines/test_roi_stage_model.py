"""The RoI stage's model for Triton's Python backend: what it copies and what it waits for, without Triton."""

import importlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="the extra export is not installed")
dispatch: Any = importlib.import_module("torch.utils._python_dispatch")

MODEL = "dirdet.engines.triton.repository.python_models.roi_stage_network"
INPUTS = ["level_0", "picture_hw", "score_threshold", "iou_weight", "nms_iou_threshold"]
REQUESTS = 8


class Tensor:
    """Triton's, of a name and values."""

    def __init__(self, values: Any) -> None:
        self.values = values

    @classmethod
    def from_dlpack(cls, _name: str, values: Any) -> "Tensor":
        assert values.is_contiguous()
        return cls(values)

    def to_dlpack(self) -> Any:
        return self.values


def tensor_of(request: dict[str, Tensor], name: str) -> Tensor:
    return request[name]


def as_it_is(values: Any) -> Any:
    return values


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """On the device `meta`, which stands for a GPU: reading any of its values on the host is an error."""
    utils = SimpleNamespace(Tensor=Tensor, get_input_tensor_by_name=tensor_of)
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", utils)
    monkeypatch.setattr(torch.utils.dlpack, "from_dlpack", as_it_is)
    module = importlib.import_module(MODEL)
    made = module.TritonPythonModel()
    made._torch, made._device = torch, torch.device("meta")
    made._at_once = False
    made._inputs = made._stage_inputs = INPUTS
    made._outputs = ["boxes", "num_candidates"]
    yield made
    del sys.modules[MODEL]


def requests(thresholds: list[float]) -> list[dict[str, Tensor]]:
    """One canvas each; the pyramid lies on the device, what a request says on the host."""
    return [
        {
            "level_0": Tensor(torch.zeros(1, 4, 8, 8, dtype=torch.float16, device="meta")),
            "picture_hw": Tensor(torch.tensor([[8, 8]])),
            "score_threshold": Tensor(torch.tensor([[0.3]])),
            "iou_weight": Tensor(torch.tensor([[0.5]])),
            "nms_iou_threshold": Tensor(torch.tensor([[threshold]])),
        }
        for threshold in thresholds
    ]


def network_of(calls: list[Any]) -> Any:
    """Two outputs of which each row says its number in its group; it keeps what it is asked."""

    def network(*tensors: Any) -> list[Any]:
        calls.append(tensors)
        count = len(tensors[0])
        return [torch.arange(count * 12.0).reshape(count, 3, 4), torch.arange(count)]

    return network


class Copies(dispatch.TorchDispatchMode):
    """Counts copies from one device to the other."""

    to_device = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operator, wherever it is called."""
        kwargs = kwargs or {}
        device = kwargs.get("device")
        if func is torch.ops.aten._to_copy.default and device is not None and device != args[0].device:
            self.to_device += 1
        return func(*args, **kwargs)


def test_a_batch_is_one_call_and_one_copy_of_each_small_tensor(model: Any) -> None:
    calls: list[Any] = []
    model._network = network_of(calls)
    copies: Any = Copies()
    with copies:
        answers = model._run(requests([0.5] * REQUESTS))
    assert copies.to_device == 4, "picture_hw, score_threshold, iou_weight, nms_iou_threshold; not one of each request"
    [(level, picture_hw, score, weight, threshold)] = calls
    assert (level.dtype, level.shape[0], level.device.type) == (torch.float32, REQUESTS, "meta")
    assert picture_hw.device.type == score.device.type == weight.device.type == "meta"
    assert (threshold.device.type, threshold.item()) == ("cpu", 0.5)
    assert [tensors[1].values.tolist() for tensors in answers] == [[[row]] for row in range(REQUESTS)]
    assert {tensors[0].values.shape for tensors in answers} == {(1, 3, 4)}


def test_a_call_for_each_threshold(model: Any) -> None:
    calls: list[Any] = []
    model._network = network_of(calls)
    model._device = torch.device("cpu")
    rows = requests([0.5, 0.7, 0.5])
    for row in rows:
        row["level_0"] = Tensor(torch.zeros(1, 4, 8, 8))
    answers = model._run(rows)
    assert [(call[-1].item(), len(call[0])) for call in calls] == [(0.5, 2), (pytest.approx(0.7), 1)]
    assert [tensors[1].values.item() for tensors in answers] == [0, 0, 1]


@pytest.mark.parametrize("settled", [True, False])
def test_all_thresholds_are_one_call_where_nothing_waits(model: Any, settled: bool) -> None:
    """As on a GPU; what is not right is computed once more, threshold by threshold."""
    exact: list[Any] = []
    quick: list[Any] = []
    network = network_of(exact)

    def at_once(*tensors: Any) -> Any:
        return network_of(quick)(*tensors), torch.tensor(settled)

    network.at_once = at_once
    model._network, model._at_once, model._device = network, True, torch.device("cpu")
    rows = requests([0.5, 0.7, 0.5])
    for row in rows:
        row["level_0"] = Tensor(torch.zeros(1, 4, 8, 8))
    answers = model._run(rows)
    assert [call[-1].tolist() for call in quick] == [pytest.approx([0.5, 0.7, 0.5])]
    assert len(exact) == (0 if settled else 2)
    assert [tensors[1].values.item() for tensors in answers] == ([0, 1, 2] if settled else [0, 0, 1])
