"""dirdet bench all: each measurement by itself, and one table of goals."""

import json
import sys
from pathlib import Path
from typing import Any

import click
import psutil
import pytest
from click.testing import CliRunner
from PIL import Image

from dirdet.cli import cli
from dirdet.errors import ParameterError
from dirdet_bench.harness import BenchGroup, history, subprocess_run
from dirdet_bench.harness import all as bench_all
from dirdet_bench.harness.all import counted, goals_table
from dirdet_bench.harness.materials import LEARNED, PART_WH, TRUNK, Materials
from dirdet_bench.harness.planned import EXTRAS, PLANNED, Planned
from dirdet_bench.harness.report import Goal, Report, Row
from dirdet_bench.harness.subprocess_run import BUSY, Outcome, run

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example.jpg"
ROWS = [
    Row("theirs", [2.0, 4.0, 4.0, 4.0, 4.0], group="few"),
    Row("ours", [0.5, 1.0, 1.0, 1.0, 1.0], against="theirs", goal=Goal(at_most=0.3), group="few"),
    Row("theirs", [2.0, 4.0, 4.0, 4.0, 4.0], group="many"),
    Row("ours", [0.8, 1.6, 1.6, 1.6, 1.6], against="theirs", goal=Goal(at_most=0.3), group="many"),
    Row("memory", [250.0], unit="MB", goal=Goal(at_most=300)),
    Row("nothing", [], goal=Goal(at_least=1)),
]


@pytest.fixture
def materials(tmp_path: Path) -> Materials:
    return Materials(EXAMPLE, tmp_path / "materials")


def test_every_measurement_that_is_registered_is_planned() -> None:
    registered = set(BenchGroup("bench").list_commands(click.Context(BenchGroup("bench"))))
    # gpu-ten is a plan of its own: ten minutes on CUDA, where `all` has twenty minutes on two cores. The quality of
    # tiles, of scaled decoding and of fewer proposals needs pictures with known objects, which cannot be made from one.
    apart = {"all", "gpu-ten", "plot", "proposals", "scaled", "table", "tiles-quality", "tiles-sets"}
    assert registered - apart <= {each.arguments[0] for each in PLANNED}, "an entry in dirdet_bench/harness/planned.py"
    assert {each.extra for each in PLANNED} - {""} <= set(EXTRAS)
    assert len({each.name for each in PLANNED}) == len(PLANNED)


def test_the_table_has_a_line_for_each_goal_and_the_worst_of_rows_that_share_one(tmp_path: Path) -> None:
    report = tmp_path / "a.json"
    Report("Speed", "dirdet bench a", {}, ROWS).write(report)
    outcomes = [
        Outcome(Planned("a", ["a"]), "ran", "", report),
        Outcome(Planned("b", ["b"], goals=["fast", "small"]), "not run", "wrk is not installed", report),
        Outcome(Planned("c", ["c"]), "failed", "it broke", report),
    ]
    assert goals_table(outcomes).splitlines()[2:] == [
        "| a | ours, worst of 2: many | 0.400 of theirs | at most 0.3 | missed |",
        "| a | memory | 250 MB | at most 300 MB | met |",
        "| a | nothing |  | at least 1 | not run: nothing was measured |",
        "| b |  |  | fast | not run: wrk is not installed |",
        "| b |  |  | small | not run: wrk is not installed |",
        "| c |  |  |  | failed: it broke |",
    ]
    assert counted(outcomes) == "1 met, 1 missed, 1 failed, 3 not run"


@pytest.mark.parametrize(
    ("values", "busy", "verdict"),
    [
        ([0.2, 0.2, 0.2, 0.2, 0.9], 0.2, "met"),
        ([0.2, 0.2, 0.4, 0.4, 0.4], 0.0, "open: half of the rounds within 0.200 to 0.400"),
        ([0.2, 0.2, 0.2, 0.2], 0.0, "open: 4 rounds, half of the rounds within 0.200 to 0.200"),
        ([0.2, 0.2, 0.2, 0.2, 0.2], 0.6, "not judged: other work had 60% of the processors"),
    ],
)
def test_a_goal_is_judged_where_the_interval_decides_and_nothing_disturbed_it(
    values: list[float], busy: float, verdict: str, tmp_path: Path
) -> None:
    report = tmp_path / "a.json"
    rows = [
        Row("theirs", [1.0] * len(values)),
        Row("ours", values, against="theirs", goal=Goal(at_most=0.3)),
    ]
    report.write_text(json.dumps(Report("Speed", "dirdet bench a", {}, rows).content() | {BUSY: busy}))
    [line] = goals_table([Outcome(Planned("a", ["a"]), "ran", "", report)]).splitlines()[2:]
    assert line.endswith(f"| at most 0.3 | {verdict} |")


def test_the_work_of_others_is_written_into_the_report(materials: Materials, tmp_path: Path) -> None:
    stand_in = tmp_path / "bench"
    content = json.dumps(Report("Speed", "dirdet bench a", {}, ROWS).content())
    stand_in.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[-1], 'w').write({content!r})\n")
    stand_in.chmod(0o755)
    seen = iter([30.0, 70.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess_run.sys, "executable", str(stand_in))
        patch.setattr(subprocess_run.psutil, "cpu_percent", lambda **_: next(seen))
        found = run(Planned("a", ["a"]), materials, tmp_path, left_s=60, triton=None)
    assert (found.state, found.why) == ("ran", "")
    assert json.loads(found.report.read_text())[BUSY] == 0.7


def test_a_commit_has_one_line_and_what_became_worse_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"processor": "one", "cores": 2}

    def measured(commit: str, ours: float, machine: Any = here) -> list[str]:
        monkeypatch.setattr(history, "_commit", lambda: commit)
        rows = [Row("theirs", [1.0] * 5), Row("ours", [ours] * 5, against="theirs", goal=Goal(at_least=1))]
        content = Report("Speed", "dirdet bench a", {}, rows).content()
        return history.record(tmp_path / "h" / "goals.jsonl", history.figures_of("a", content["rows"]), machine)

    assert measured("c1", 2.0) == []
    assert measured("c1", 1.9) == [], "not compared with itself"
    assert measured("c2", 1.5, here | {"cores": 4}) == [], "another machine"
    assert measured("c3", 1.2) == ["a: ours: 1.2, which was 1.9 at c1"]
    assert measured("c4", 1.3) == []
    lines = [json.loads(line) for line in (tmp_path / "h" / "goals.jsonl").read_text().splitlines()]
    assert [(each["commit"], each["cores"]) for each in lines] == [("c1", 2), ("c2", 4), ("c3", 2), ("c4", 2)]
    (tmp_path / "h" / "goals.jsonl").write_text("[1]\n")
    with pytest.raises(ParameterError, match="is no history that"):
        measured("c5", 1.0)


def test_what_is_missing_is_told_and_nothing_is_started(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess_run, "EXTRAS", {"batch": ["no_such_package"]})
    missing = {
        "no-such-program is not installed": Planned("a", ["a"], programs=["no-such-program"]),
        "'no_such_package' is not installed: pip install '.[batch]'": Planned("a", ["a"], extra="batch"),
        "no Triton was given": Planned("a", ["a"], triton=True),
    }
    for why, planned in missing.items():
        found = run(planned, materials, tmp_path, left_s=60, triton=None)
        assert found.state == "not run"
        assert why in found.why
    found = run(Planned("a", ["a"]), materials, tmp_path, left_s=1, triton=None)
    assert (found.state, found.why) == ("not run", "no time was left")


def test_one_that_fails_is_told_by_its_last_words(materials: Materials, tmp_path: Path) -> None:
    found = run(Planned("a", ["table", "--no-such"]), materials, tmp_path, left_s=60, triton=None)
    assert found.state == "failed"
    assert "--no-such" in found.why
    assert "--no-such" in (tmp_path / "a.log").read_text()


def test_one_that_takes_too_long_is_ended_with_the_servers_that_it_started(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forever, server = tmp_path / "forever", tmp_path / "server"
    forever.write_text(
        f"#!{sys.executable}\nimport subprocess, sys, time\n"
        "process = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        f"open({str(server)!r}, 'w').write(str(process.pid))\ntime.sleep(600)\n"
    )
    forever.chmod(0o755)
    monkeypatch.setattr(subprocess_run.sys, "executable", str(forever))
    monkeypatch.setattr(subprocess_run, "LEAST_S", 0)
    found = run(Planned("a", ["a"], limit_s=3), materials, tmp_path, left_s=60, triton=None)
    assert found.state == "failed"
    assert found.why.startswith("ended after")
    left = [each for each in psutil.process_iter() if each.pid == int(server.read_text())]
    assert all(each.status() == psutil.STATUS_ZOMBIE for each in left)


def test_materials_are_made_of_one_picture(bundle_folder: Path, materials: Materials) -> None:
    assert bundle_folder.is_dir()
    picture, jpegs, data, rounds = materials.fill(["{picture}", "{jpegs}", "{data}", "3"])
    assert (picture, rounds) == (str(EXAMPLE), "3")
    with Image.open(Path(jpegs) / "3.jpg") as made, Image.open(EXAMPLE) as whole:
        assert made.size == (2 * whole.width, 2 * whole.height)
    told = json.loads((Path(data) / "annotations" / "train.json").read_text())
    assert len(told["images"]) == LEARNED
    assert len(told["annotations"]) > LEARNED
    assert len(told["categories"]) == 12
    with Image.open(Path(data) / told["images"][0]["file_name"]) as part:
        assert part.size == PART_WH
    for each in told["annotations"]:
        assert each["area"] > 0


def test_outside_of_a_clone_what_needs_the_trunk_is_told(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(Planned("a", ["a", "{trunk}"]), materials, tmp_path, left_s=60, triton=None)
    assert (found.state, found.why) == ("not run", f"{TRUNK} is not here: it comes with a clone, not with the wheel")


def test_the_exit_status_tells_of_failures_and_not_of_missed_goals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invoke(*planned: Planned) -> Any:
        monkeypatch.setattr(bench_all, "PLANNED", planned)
        return CliRunner().invoke(cli, ["bench", "all", str(EXAMPLE), "--out", str(tmp_path), "--resume"])

    Report("Speed", "dirdet bench a", {}, ROWS).write(tmp_path / "a.json")
    missed = invoke(Planned("a", ["a"]), Planned("b", ["b"], goals=["fast"], triton=True))
    assert missed.exit_code == 0, missed.output
    assert "| missed |" in missed.output
    assert "| b |  |  | fast | not run: no Triton was given (--triton) |" in missed.output
    failed = invoke(Planned("c", ["no-such-bench"]), Planned("a", ["a"]))
    assert failed.exit_code == 1
    assert "| c |  |  |  | failed: Error: No such command 'no-such-bench'." in failed.output
    assert "| missed |" in failed.output
