"""The price of DIR, on drawn pictures."""

import json

import pytest
import torch
from click.testing import CliRunner

from dirdet.cli import cli
from dirdet.errors import ParameterError
from dirdet_bench.training.detector_pair import WITH, WITHOUT, detector_pair
from dirdet_training.mm.configs import read_config


def call(*arguments: object):
    result = CliRunner().invoke(cli, ["bench", *(str(argument) for argument in arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_price_is_measured_side_by_side(tiny_config, tmp_path):
    result = call(
        "train", tiny_config, "--rounds", 2, "--json", tmp_path / "price.json", "-o", "optim_wrapper.type=OptimWrapper"
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.count("| with") == 2
    content = json.loads((tmp_path / "price.json").read_text())
    rows = {row["name"]: row for row in content["rows"]}
    assert {name: len(row["values"]) for name, row in rows.items()} == {WITHOUT: 2, WITH: 2}
    assert rows[WITH]["ratio"]["median"] > 0
    assert rows[WITH]["met"] == (rows[WITH]["ratio"]["median"] <= rows[WITH]["goal"]["at_most"])
    assert content["facts"]["positives a picture"] > 0
    assert content["command"].startswith(f"dirdet bench train {tiny_config} --cfg-options ")


def test_both_differ_in_dir_alone(tiny_config):
    both = detector_pair(read_config(tiny_config), None, trust_checkpoint=False)
    plain, judged = (both.models[name].state_dict() for name in (WITHOUT, WITH))
    assert all(torch.equal(judged[name], value) for name, value in plain.items())
    assert {name.split(".")[1] for name in judged.keys() - plain.keys()} == {"dir_head"}


def test_a_checkpoint_without_dir_gets_a_fresh_head(tiny_config, tmp_path):
    cfg = read_config(tiny_config)
    plain = detector_pair(cfg, None, trust_checkpoint=False).models[WITHOUT].state_dict()
    torch.save({"state_dict": plain}, tmp_path / "plain.pth")
    judged = detector_pair(cfg, tmp_path / "plain.pth", trust_checkpoint=False).models[WITH].state_dict()
    assert all(torch.equal(judged[name], value) for name, value in plain.items())


def test_a_detector_without_dir_has_no_price():
    with pytest.raises(ParameterError, match="has no DIR head"):
        detector_pair(read_config("faster_rcnn_lite0_scenes"), None, trust_checkpoint=False)
    result = call("train", "faster_rcnn_lite0_scenes")
    assert result.exit_code == 2
    assert "'CONFIG': has no DIR head" in result.stderr.replace("Invalid value for ", "")
