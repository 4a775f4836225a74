import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.tensors import CanvasBatch
from dirdet_bench.harness import command
from dirdet_bench.harness.machine import machine
from dirdet_bench.harness.measurement import Result, command_line, measurement
from dirdet_bench.harness.report import Goal, Report, Row, Spread, ratio, rows_against
from dirdet_bench.harness.turns import seconds_in_turns
from dirdet_bench.serving.overload import command as overload
from dirdet_bench.serving.triton import WARM_UP, Load, latency_table, percentiles_ms, time_models


def test_each_round_runs_everything_and_begins_with_another():
    order: list[str] = []
    runs = {name: (lambda name=name: order.append(name)) for name in ("a", "b", "c")}
    seconds = seconds_in_turns(runs, 3, before=lambda number: order.append(str(number)))
    assert "".join(order) == "0abc1bca2cab3abc"
    assert {name: len(taken) for name, taken in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_what_takes_longer_is_seen(monkeypatch: pytest.MonkeyPatch):
    now_s = 0.0

    def passes(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    monkeypatch.setattr("dirdet_bench.harness.turns.time.perf_counter", lambda: now_s)
    runs = {"short": lambda: passes(0.25), "long": lambda: passes(1)}
    for turn_s in (0, 0.5, 3):
        found = seconds_in_turns(runs, 3, turn_s=turn_s)
        assert found == {"short": [0.25] * 3, "long": [1] * 3}
    # Turns of half a second are two short calls, and one long one.
    assert now_s == 4 * 1.25 + (2 * 1.25 + 4 * (0.5 + 1)) + (2 * 1.25 + 4 * (3 + 3))


def test_ratios_are_of_the_same_round():
    # A machine that slows down by ten meets both alike.
    assert ratio([1.1, 11, 110], [1, 10, 100]).median == pytest.approx(1.1)
    assert ratio([3], [2]) == Spread(1.5, 1.5, 1.5)


def test_the_table_and_the_file_say_the_same(tmp_path: Path):
    seconds = {"plain": [1.0, 2.0], "ours": [1.5, 3.0]}
    rows = rows_against(seconds, "plain", {"ours": Goal(at_most=1.4)})
    report = Report("it", "dirdet bench it", machine(["numpy", "no-such-package"]), rows)
    line = "| ours | 2.25 s | 1.88 to 2.62 | 2 | 1.50 of plain | 1.50 to 1.50 | at most 1.4: missed |"
    assert line in report.table()
    report.write(tmp_path / "new" / "a.json")
    content = json.loads((tmp_path / "new" / "a.json").read_text())
    plain, ours = content["rows"]
    assert ours["ratio"] == {"median": 1.5, "low": 1.5, "high": 1.5}
    assert (ours["goal"], ours["met"], plain["goal"], plain["met"]) == ({"at_most": 1.4}, False, None, None)
    assert [plain["values"], ours["values"]] == list(seconds.values())
    assert content["schema"] == 1
    assert content["machine"]["cores"] >= 1
    assert content["machine"]["load_average"] >= 0
    assert content["machine"]["packages"].keys() == {"numpy"}


def test_a_goal_is_of_the_median_where_there_is_nothing_to_divide_by():
    rows = [Row("much", [90, 110, 500], unit="/s", goal=Goal(at_least=100)), Row("nothing", [], goal=Goal(at_most=1))]
    much, nothing = Report("it", "dirdet bench it", {}, rows).content()["rows"]
    assert (much["median"], much["met"]) == (110, True)
    assert (nothing["median"], nothing["met"]) == (None, None)


@click.command("it")
@click.argument("where")
@click.option("--number", "-n", multiple=True, default=(1,))
@click.option("--pair", type=(str, int))
@click.option("--size", type=(int, int), multiple=True)
@click.option("--fast/--slow", default=True)
@click.option("--json", "out")
def it(**_: object) -> None:
    click.echo(command_line())


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["a b"], "dirdet 'a b'"),
        (["a", "-n", "2", "--number", "3", "--json", "x"], "dirdet a --number 2 --number 3"),
        (["--slow", "a"], "dirdet a --slow"),
        (
            ["a", "--pair", "b", "3", "--size", "1", "2", "--size", "3", "4"],
            "dirdet a --pair b 3 --size 1 2 --size 3 4",
        ),
        (["--fast", "a"], "dirdet a --fast"),
    ],
)
def test_the_command_that_repeats_it_is_told(typed: list[str], told: str):
    assert CliRunner().invoke(it, typed).output.strip() == told


def test_a_measurement_is_printed_written_and_drawn(tmp_path: Path):
    @measurement("it", packages=("numpy",), rounds=3)
    def measure(rounds: int) -> Result:
        return Result("It", [Row("a", list(range(1, 1 + rounds)))], {"known": "fact"}, "| a | table |")

    out, plot = tmp_path / "new" / "it.json", tmp_path / "new" / "it.svg"
    done = CliRunner().invoke(measure, ["--rounds", "2", "--json", str(out), "--plot", str(plot)])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("| a | table |\n\nIt\n\n|  | median |")
    assert "known: fact" in done.output
    content = json.loads(out.read_text())
    assert content["rows"][0]["values"] == [1, 2]
    assert content["machine"]["packages"].keys() == {"dirdet", "numpy"}
    assert "--plot" not in content["command"]
    assert "<!-- seconds -->" in plot.read_text()
    assert CliRunner().invoke(measure, ["--rounds", "0"]).exit_code == 2


def test_the_measurements_are_listed_without_being_imported():
    listed = CliRunner().invoke(command, ["--help"])
    assert listed.exit_code == 0
    assert "A training step with DIR" in listed.output
    context = click.Context(command)
    assert {"train", "triton", "overload", "nms", "start", "table"} <= set(command.list_commands(context))
    assert command.get_command(context, "nothing") is None


def test_requests_at_once_are_timed_one_by_one(engine: Any, detector: Detector, rectangles: Any):
    placed = [detector.place(rectangles(red=(40 * number, 60, 40 * number + 90, 200))) for number in range(3)]
    batches = [CanvasBatch.of([each], [detector.settle(DetectOptions())]) for each in placed]
    seconds, latencies = time_models({"a": engine, "b": engine}, Load(batches, requests=5, concurrency=2), 2)
    assert {name: len(taken) for name, taken in seconds.items()} == {"a": 2, "b": 2}
    assert {name: len(taken) for name, taken in latencies.items()} == {"a": 10, "b": 10}
    assert len(engine.batches) == 2 * 5 * (WARM_UP + 2)


def test_percentiles_of_requests():
    assert percentiles_ms([0.001] * 98 + [0.5] * 3) == {"p50": 1, "p95": 1, "p99": 500}
    assert "| x | 2.00 ms | 2.00 ms | 2.00 ms |" in latency_table({"x": [0.002]})


def test_overload_tells_what_a_gateway_makes_of_twice_its_capacity(tmp_path: Path) -> None:
    out = tmp_path / "overload.json"
    done = CliRunner().invoke(
        overload, ["--rounds", "1", "--seconds", "1", "--timeout-s", "1", "--canvas-ms", "40", "--json", str(out)]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text())
    assert told["rows"][0]["median"] > 0
    assert set(told["facts"]["statuses"]) <= {"200", "503", "504"}
    assert sum(told["facts"]["statuses"].values()) > 0  # how many of them in time is the machine's
