"""The pace of answers, and what a process may use of its machine."""

import os
from pathlib import Path

import pytest

from dirdet.engines import cores
from dirdet.gateway.scheduling.admission import Pace


def test_nothing_is_known_before_the_first_answer() -> None:
    pace = Pace()
    pace.work_came(0)
    assert pace.per_picture_s == 0


def test_under_load_it_is_the_time_between_answers_however_many_come_at_once() -> None:
    pace = Pace()
    pace.work_came(0)
    for number in range(1, 50):
        for _ in range(8):
            pace.answered(number * 2.0)
    assert pace.per_picture_s == pytest.approx(0.25, rel=0.1)


def test_time_without_work_does_not_count() -> None:
    pace = Pace()
    for number in range(10):
        pace.work_came(100 * number)
        pace.answered(100 * number + 1)
        pace.work_ended()
    assert pace.per_picture_s == pytest.approx(1)


def test_it_follows_an_engine_that_has_become_faster() -> None:
    pace = Pace()
    now_s = 0.0
    pace.work_came(now_s)
    for takes_s in [1.0] * 100 + [0.1] * 200:
        now_s += takes_s
        pace.answered(now_s)
    assert pace.per_picture_s == pytest.approx(0.1, rel=0.5)


def eight_cores(_: int) -> set[int]:
    return set(range(8))


@pytest.mark.parametrize(
    ("granted", "usable"),
    [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("9900000 100000", 8), ("", 8)],
)
def test_a_container_has_the_cores_it_is_granted(
    granted: str, usable: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(granted)
    monkeypatch.setattr(cores, "CGROUP_V2", tmp_path / "cpu.max")
    monkeypatch.setattr(cores, "CGROUP_V1", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", eight_cores)
    assert cores.usable_cores() == usable
    assert cores.decoding_threads(usable) == max(1, usable // 4)


def test_an_old_container_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    monkeypatch.setattr(cores, "CGROUP_V2", tmp_path / "none")
    monkeypatch.setattr(cores, "CGROUP_V1", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", eight_cores)
    assert cores.usable_cores() == 3
