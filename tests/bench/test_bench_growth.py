"""dirdet bench growth: where a curve bends, what a default loses, and what counts as an answer."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import CanvasSize
from dirdet.bundle.shipped import open_bundle
from dirdet.cli import cli
from dirdet.detector.detector import Detector
from dirdet.engines.cores import decoding_threads, usable_cores
from dirdet.errors import EngineError
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet_bench.harness.canvases import canvas_batch, open_picture
from dirdet_bench.harness.processes import serving
from dirdet_bench.harness.report import Report
from dirdet_bench.serving.curves import Curve, plot
from dirdet_bench.serving.engine_curves import detect_repeatedly
from dirdet_bench.serving.gateway_curves import Option, option_curve, options
from dirdet_bench.serving.http_load import closed_loop

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example.jpg"


@pytest.fixture(autouse=True)
def _needs_the_bundle(bundle_folder: Path) -> None:
    """The shipped one."""


def test_the_knee_is_the_first_value_that_is_as_good_as_the_best() -> None:
    growing = Curve("it", {1.0: [10, 50, 12], 2.0: [96, 95, 97], 4.0: [100, 100, 100], 8.0: [90, 90, 90]})
    assert growing.knee == 2
    falling = {10.0: [100.0], 20.0: [96.0], 40.0: [50.0]}
    assert Curve("it", falling, knee_is="up to").knee == 20
    # As many pixels a second from 20 on.
    assert Curve("it", falling, work={10.0: 1, 20.0: 2, 40.0: 4}).knee == 20


def test_a_round_in_which_the_machine_was_busy_counts_for_nothing() -> None:
    quiet, busy = [100.0, 100.0], [10.0, 10.0]
    curve = Curve("it", {1.0: [*quiet, *busy, 9], 2.0: [*(1.2 * rate for rate in quiet + busy), 12]}, default=1)
    assert curve.knee == 2
    assert curve.shares[2] / curve.shares[1] == pytest.approx(1.2)


def test_a_default_is_held_against_the_best_value() -> None:
    rates = {2.0: [80.0, 90.0], 4.0: [100.0, 100.0]}
    content = Report("it", "it", {}, Curve("it", rates, default=2.0).rows()).content()
    assert [row["name"] for row in content["rows"]] == ["2", "4", "the default, 2"]
    last = content["rows"][-1]
    assert (last["against"], last["ratio"]["median"], last["goal"], last["met"]) == (
        "4",
        0.85,
        {"at_least": 0.95},
        False,
    )
    without_goal = (Curve("it", rates), Curve("it", rates, default=3.0), Curve("it", rates, default=2.0, chosen=False))
    assert [len(curve.rows()) for curve in without_goal] == [2, 2, 2]


def test_what_is_compared_is_what_serve_takes_unless_told() -> None:
    limits, curves = ServerLimits(), options()
    assert curves["max-batch"].default == limits.max_batch
    assert curves["delay"].default == 1000 * limits.max_batch_delay_s
    assert curves["decoders"].default == limits.decoders == decoding_threads(usable_cores())
    assert all(each.default in each.values for each in curves.values())


def test_an_answer_that_differs_is_no_answer() -> None:
    bundle, detector = open_bundle(), Detector.open()
    batch = canvas_batch(open_picture(EXAMPLE), bundle.manifest, canvas=CanvasSize(height=128, width=160), batch=2)
    assert batch.canvas.shape == (2, 128, 160, 3)
    assert (batch.picture_hw == [107, 160]).all()
    assert detect_repeatedly(detector.engine, batch, times=1)() > 0
    with pytest.raises(EngineError, match="expected 99 detections of every picture"):
        detect_repeatedly(detector.engine, batch, times=1, expected=99)()
    with serving() as server:
        body = EXAMPLE.read_bytes()
        assert asyncio.run(closed_loop(server.port, [body], callers=1, seconds=0.1, is_right=lambda _: False)) == 0
        assert asyncio.run(closed_loop(server.port, [body], callers=1, seconds=0.1, is_right=lambda _: True)) > 0


def test_gateways_that_differ_in_an_option_are_asked_in_turns() -> None:
    option = Option("gateway: --max-batch", "--max-batch", (1.0, 2.0), 8, callers=2)
    curve = option_curve(option, EXAMPLE.read_bytes(), 1, seconds=0.2)
    assert curve.title == "gateway: --max-batch, 2 callers"
    assert {value: len(rates) for value, rates in curve.rates.items()} == {1.0: 1, 2.0: 1}
    assert min(rates[0] for rates in curve.rates.values()) > 0


def test_the_report_has_every_curve_and_the_plot_draws_it(tmp_path: Path) -> None:
    out, drawn = tmp_path / "growth.json", tmp_path / "growth.svg"
    typed = ["--curve", "canvas", "--curve", "threads", "--rounds", "1", "--pictures", "1"]
    ran = CliRunner().invoke(cli, ["bench", "growth", str(EXAMPLE), *typed, "--json", str(out), "--plot", str(drawn)])
    assert ran.exit_code == 0, ran.output
    told = json.loads(out.read_text())
    curves = told["facts"]["curves"]
    assert set(curves) == {"engine: canvas", "engine: threads of an inference"}
    assert curves["engine: canvas"]["default"] == "256x320"
    threads = curves["engine: threads of an inference"]
    assert threads["knee"] in threads["labels"]
    rows = {(row["group"], row["name"]): row["median"] for row in told["rows"]}
    assert rows["engine: canvas", "64x64"] > rows["engine: canvas", "1024x1280"] > 0
    assert "--plot" not in told["command"]
    assert drawn.read_text().startswith("<?xml")
    plot(told, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == drawn.read_text()
