"""dirdet bench roofline: FLOPs are counted right, and what is told follows from them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode

from dirdet.bundle.bundle import Bundle
from dirdet.errors import BundleError
from dirdet_bench.export.flops import total_flops
from dirdet_bench.export.matrix_products import ARITHMETICS, Sizes, matrix_products
from dirdet_bench.export.onnx_profile import cut, profile
from dirdet_bench.export.roofline import command

PHOTOGRAPH = Path(__file__).resolve().parents[2] / "docs" / "example.jpg"
SMALL = Sizes(8, 48, 16)


def test_flops_are_those_that_torch_counts(
    dir_specimen: Any, bundle_of: Callable[..., Path], ask: Callable[..., Any]
) -> None:
    request = ask(2)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        dir_specimen.detector.trunk(request["canvas"], request["picture_hw"])
    trunk = Bundle.open(bundle_of(dir_specimen)).file("trunk.onnx").read_bytes()
    feeds = {name: request[name].numpy() for name in ("canvas", "picture_hw")}
    [nodes] = profile(trunk, feeds, optimised=False)
    assert total_flops(nodes) == counter.get_total_flops()


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_every_library_gives_the_same_product(arithmetic: Any) -> None:
    products = [np.asarray(torch.as_tensor(each.run()).float()) for each in matrix_products(arithmetic, SMALL)]
    assert products
    for each in products:
        np.testing.assert_array_equal(each, products[0])


def test_what_is_told_follows_from_flops_and_seconds(
    dir_specimen: Any, bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    out, plot = tmp_path / "a.json", tmp_path / "a.svg"
    arguments = [str(PHOTOGRAPH), "--detector", str(bundle_of(dir_specimen)), "--rounds", "2", "--json", str(out)]
    result = CliRunner().invoke(command, [*arguments, "--sizes", "64", "64", "64", "--plot", str(plot)])
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text())
    rows = {row["name"]: row for row in content["rows"]}
    flops = content["facts"]["flops"]
    assert flops["trunk"] + flops["RoI stage"] == flops["detector.onnx"]
    for name, count in flops.items():
        [seconds] = [row["values"] for told, row in rows.items() if told.startswith(f"{name}, ")]
        assert rows[name]["values"] == pytest.approx([count / each / 1e9 for each in seconds], rel=1e-4)
        assert sum(each["share"] for each in content["facts"]["where"][name]) <= 1.001
    assert rows["trunk"]["goal"] == {"at_least": 0.8}
    assert rows["detector.onnx"]["goal"] == {"at_least": 0.7}
    assert rows["RoI stage"]["goal"] is None
    assert rows["trunk"]["against"] == "matrices, float32"
    assert "RoiAlign" in plot.read_text()


def test_a_network_that_was_not_exported_here_cannot_be_cut(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Identity", ["x"], ["y"], name="other")
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    path = tmp_path / "detector.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", value[:1], value[1:])), str(path))
    with pytest.raises(BundleError, match=r"expected nodes that are named /trunk/"):
        cut(path)
