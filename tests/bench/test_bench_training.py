"""dirdet bench train --against stock: whole trainings in turns, on drawn pictures."""

import json

import pytest
from click.testing import CliRunner

from dirdet.cli import cli
from dirdet_bench.training.against_runner import OURS, OURS_WITH_DIR, STOCK, difference


def test_trainings_take_turns_and_their_losses_are_compared(tiny_config, tmp_path):
    words = ["bench", "train", str(tiny_config), "--against", "stock", "--rounds", "1", "--iterations", "1"]
    places = ["--json", str(tmp_path / "rates.json"), "--plot", str(tmp_path / "rates.svg")]
    result = CliRunner().invoke(cli, words + places)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "rates.json").read_text())
    rates = {row["name"]: row for row in content["rows"] if row["unit"] == "/s"}
    assert rates.keys() == {STOCK, OURS, OURS_WITH_DIR}
    assert rates[OURS]["goal"] == {"at_least": 1.3}
    assert rates[OURS]["ratio"]["median"] > 0
    assert content["facts"][f"losses differ at most by: {OURS}"].endswith(f"of {STOCK}'s")
    assert OURS in (tmp_path / "rates.svg").read_text().replace("\n", " ")


def test_a_difference_is_of_losses_that_both_have():
    stock = [{"loss": 3.0, "loss_cls": 2.0}, {"loss": 3.0, "loss_cls": 2.0}]
    with_dir = [{"loss": 4.0, "loss_cls": 2.0, "loss_iou": 1.0}, {"loss": 4.0, "loss_cls": 2.1, "loss_iou": 1.0}]
    assert difference(with_dir, stock) == pytest.approx(0.05, rel=1e-3)
    assert difference(stock, stock) == 0


def test_a_loss_that_is_not_a_number_is_no_parity():
    assert difference([{"loss_cls": float("nan")}], [{"loss_cls": 1.0}]) == float("inf")
