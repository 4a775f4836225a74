"""The RoI stage in steps for a GPU: it finds the same, and the host waits for nothing."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# On a GPU the host waits for the result of each: its size or its value decides what comes next.
WAITING = {
    "aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::is_nonzero",
    "aten::_unique2", "aten::unique_dim", "aten::unique_consecutive", "aten::repeat_interleave", "torchvision::nms",
}  # fmt: skip


class Waits(TorchDispatchMode):
    """Counts the operators for which the host would wait, on tensors of the CPU that stand for those of a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operator, wherever it is called."""
        name = func._schema.name
        masks = name == "aten::index" and any(each is not None and each.dtype == torch.bool for each in args[1])
        if name in WAITING or masks:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["dir", "plain", "double_head", "class_specific_cascade", "htc_dir", "tsd_dir"])
def test_it_finds_the_same_and_waits_for_nothing(
    name: str, request: pytest.FixtureRequest, ask: Callable[..., dict[str, Tensor]]
) -> None:
    detector = request.getfixturevalue(f"{name}_specimen").detector
    asked = ask(3, 128, 96)
    if detector.roi_stage.dir_head is None:
        asked.pop("iou_weight", None)
    with torch.inference_mode():
        maps = detector.trunk(asked["canvas"], asked["picture_hw"])
        given = [values for key, values in asked.items() if key != "canvas"]
        waits = Waits()
        with waits:
            expected = detector.roi_stage(*maps, *given)
        assert waits.found["torchvision::nms"] == 6, "one of the proposals and one of the detections for each picture"
        waits = Waits()
        with waits:
            found, settled = detector.roi_stage.at_once(*maps, *given)
    assert waits.found == {}
    assert settled
    assert found[-1 if detector.roi_stage.masks is None else -2].min() > 0
    for values, wanted in zip(found, expected, strict=True):
        assert (values.dtype, values.shape) == (wanted.dtype, wanted.shape)
        torch.testing.assert_close(values, wanted, rtol=1e-4, atol=1e-3)


def test_its_sizes_do_not_depend_on_the_values(dir_specimen: Any, ask: Callable[..., dict[str, Tensor]]) -> None:
    """On the device `meta`, which has shapes and no values: what a CUDA graph can record."""
    detector = dir_specimen.detector
    asked = ask(2, 128, 96)
    with torch.inference_mode():
        maps = detector.trunk(asked["canvas"], asked["picture_hw"])
        given = [values for key, values in asked.items() if key != "canvas"]
        expected, _ = detector.roi_stage.at_once(*maps, *given)
        stage = copy.deepcopy(detector.roi_stage).to("meta")
        found, settled = stage.at_once(*(values.to("meta") for values in (*maps, *given)))
    assert settled.shape == ()
    assert [values.shape for values in found] == [values.shape for values in expected]
