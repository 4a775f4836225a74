"""A job on a Ray cluster has the embedded engine's results, to the byte, also where a node dies."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage
from jobs import at_a_part, contents, errors, rows, spawn
from PIL import Image

pytest.importorskip("ray", reason="the extra ray is not installed")

from .cluster import LocalCluster, local_cluster

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
PICTURES, PART = 80, 8
WAIT_S = 240


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of a photograph, upright and lying, and three files that are no pictures in three ways."""
    out = tmp_path_factory.mktemp("pictures")
    with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as photograph:
        for number in range(PICTURES - 3):
            width, height = (200, 150) if number % 3 else (150, 200)
            left, top = 9 * number % (512 - width), 17 * number % (512 - height)
            photograph.crop((left, top, left + width, top + height)).save(out / f"{number:03d}.png")
    (out / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    (out / "text.png").write_bytes(b"no picture at all")
    (out / "gone.png").symlink_to(out / "nowhere")
    return out


@pytest.fixture(scope="session")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded engine's results."""
    out = tmp_path_factory.mktemp("embedded") / "out"
    process = spawn(folder, "--out", out, "--part", PART)
    _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 3, told
    return out


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(1, 1, 1) as running:
        yield running


def arguments(folder: Path, out: Path, cluster: LocalCluster) -> list[object]:
    return [folder, "--out", out, "--part", PART, "--engine", "ray", "--ray-address", cluster.address]


def assert_same(out: Path, expected: Path) -> None:
    """All files but the plan and the times; both engines are the same network on the same machine."""
    assert errors(out) == errors(expected)
    assert contents(out) == contents(expected)
    assert len({row["picture"] for row in rows(out, "pictures")}) == PICTURES


def test_the_results_are_those_of_the_embedded_engine(
    cluster: LocalCluster, folder: Path, expected: Path, tmp_path: Path
) -> None:
    process = spawn(*arguments(folder, tmp_path / "out", cluster))
    _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 3, told
    # Ray's own lines are no progress of a job.
    assert all(re.match(r"\d+ of \d+ \(", line) for line in told.splitlines()), told
    assert_same(tmp_path / "out", expected)


def test_ctrl_c_keeps_whole_parts_and_either_engine_goes_on(
    cluster: LocalCluster, folder: Path, expected: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupting = at_a_part(signal.SIGINT)
    stopped = spawn(*arguments(folder, out, cluster), "--ray-actors", 1, before=interrupting)
    _, told = stopped.communicate(timeout=WAIT_S)
    assert stopped.returncode == 130, told
    assert "pictures done and kept, the same command continues from there" in told
    assert "Traceback" not in told
    before = {path.name: path.stat().st_mtime_ns for path in (out / "pictures").iterdir()}
    assert 0 < len(before) < PICTURES // PART
    again = spawn(folder, "--out", out, "--part", PART)
    again.communicate(timeout=WAIT_S)
    assert again.returncode == 3
    after = {path.name: path.stat().st_mtime_ns for path in (out / "pictures").iterdir()}
    assert {name: after[name] for name in before} == before
    assert_same(out, expected)


def test_strict_stops_at_the_first_picture_that_cannot_be_read(
    cluster: LocalCluster, folder: Path, tmp_path: Path
) -> None:
    stopped = spawn(*arguments(folder, tmp_path / "out", cluster), "--strict")
    _, told = stopped.communicate(timeout=WAIT_S)
    assert stopped.returncode == 1
    assert "(--strict: the job stops here)" in told
    assert "Traceback" not in told


def test_without_an_address_a_cluster_is_begun_here(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    process = spawn(folder, "--out", tmp_path / "out", "--limit", 4, "--engine", "ray")
    _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, told
    assert len(rows(tmp_path / "out", "pictures")) == 4


def test_no_cluster_is_told_in_a_line(folder: Path, tmp_path: Path) -> None:
    process = spawn(folder, "--out", tmp_path / "out", "--engine", "ray", "--ray-address", "127.0.0.2:9")
    _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert told == "dirdet: no Ray cluster at 127.0.0.2:9: Connection refused\n"
    assert not (tmp_path / "out").exists()


def test_a_node_that_is_killed_costs_no_picture(
    cluster: LocalCluster, folder: Path, expected: Path, tmp_path: Path
) -> None:
    """The last test of this cluster."""
    out = tmp_path / "out"
    process = spawn(*arguments(folder, out, cluster))
    _wait_for_parts(out, 1)
    cluster.kill(1)
    at_the_kill = len(list((out / "pictures").glob("part-*")))
    _, told = process.communicate(timeout=2 * WAIT_S)
    assert process.returncode == 3, told
    assert at_the_kill < PICTURES // PART
    assert "was lost" in told
    assert "Traceback" not in told
    assert_same(out, expected)


def _wait_for_parts(out: Path, count: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while len(list((out / "pictures").glob("part-*.parquet"))) < count:
        assert time.monotonic() < deadline, out
        time.sleep(0.05)
