"""A job that sends its pictures to a gateway has the embedded engine's results, and outlives the gateway."""

import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gateway import GatewayProcess, gateway_process
from jobs import MANY, PART, Run, errors, job_arguments, rows, spawn, spawn_paused

from dirdet.bundle.bundle import MANIFEST
from dirdet.bundle.shipped import open_bundle
from dirdet.client.errors import NoAnswerError
from dirdet.errors import ParameterError
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import append_key

BOX_TOLERANCE_PX = 0.5
FIGURE_TOLERANCE = 0.01
SIDES = ("x1", "y1", "x2", "y2")
FIGURES = ("score", "purity", "integrity", "iou", "confidence")


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    with gateway_process() as running:
        yield running


@pytest.fixture(scope="module")
def done(gateway: GatewayProcess, many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a job that nothing stopped."""
    out = tmp_path_factory.mktemp("gateway") / "out"
    process = spawn(*job_arguments(many, out), "--gateway", gateway.url)
    _, told = process.communicate(timeout=180)
    assert process.returncode == 3, told
    return out


def assert_close(found: Path, expected: Path) -> None:
    """The same detections, to the tolerance that engines differ by."""

    def figures(folder: Path, names: tuple[str, ...]) -> Any:
        return np.array([[row[name] for name in names] for row in rows(folder, "detections")])

    def keys(folder: Path) -> list[Any]:
        return [(row["position"], row["picture"], row["label"]) for row in rows(folder, "detections")]

    assert keys(found) == keys(expected)
    assert keys(found)
    assert np.abs(figures(found, SIDES) - figures(expected, SIDES)).max() <= BOX_TOLERANCE_PX
    assert np.abs(figures(found, FIGURES) - figures(expected, FIGURES)).max() <= FIGURE_TOLERANCE


def test_the_results_are_those_of_the_embedded_engine(done: Path, uninterrupted: Path) -> None:
    assert rows(done, "pictures") == rows(uninterrupted, "pictures")
    assert errors(done) == errors(uninterrupted)
    assert_close(done, uninterrupted)
    identity = json.loads((done / "job.json").read_text())["identity"]
    assert identity["detector"]["bundle_sha256"] is None
    assert identity["engine"].startswith("gateway, ONNX Runtime")


def test_settings_and_conditions_reach_the_gateway(
    gateway: GatewayProcess, run: Run, many: Path, tmp_path: Path
) -> None:
    asked = ["--limit", 6, "--min-iou", 0.6, "--classes", "bird,fish", "--iou-weight", 0.3, "--max-detections", 2]
    asked += ["--score-threshold", 0.05]
    split = ["--keep", "iou>=0.7", "--review", "score>=0.05"]
    told = run(many, "--out", tmp_path / "far", *asked, *split, "--gateway", gateway.url)
    expected = run(many, "--out", tmp_path / "near", *asked, *split)
    assert_close(tmp_path / "far", tmp_path / "near")
    assert re.findall(r"(\d+) detections in", told.stdout) == re.findall(r"(\d+) detections in", expected.stdout)


def test_what_the_gateway_refuses_is_named_as_here(
    gateway: GatewayProcess, run: Run, many: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    good = (many / "roll 1" / "01.png").read_bytes()
    (source / "empty.png").write_bytes(b"")
    (source / "text.png").write_bytes(b"no picture at all")
    (source / "cut.png").write_bytes(good[: len(good) // 2])
    (source / "good.png").write_bytes(good)
    (source / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + (32 * 2**20) * b"\0")
    wide = b"\x00\x00\x00\rIHDR" + (20_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    (source / "pixels.png").write_bytes(good[:8] + wide + good[29:])
    (source / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert run(source, "--out", tmp_path / "far", "--gateway", gateway.url).exit_code == 3
    assert run(source, "--out", tmp_path / "near").exit_code == 3
    assert len(errors(tmp_path / "near")) == 6
    assert errors(tmp_path / "far") == errors(tmp_path / "near")


def test_a_gateway_that_is_killed_is_waited_for(
    gateway: GatewayProcess, done: Path, many: Path, tmp_path: Path
) -> None:
    """No picture is lost, none is a failure."""
    out = tmp_path / "out"
    process = spawn_paused(*job_arguments(many, out), "--gateway", gateway.url)
    gateway.end()
    process.send_signal(signal.SIGCONT)
    try:
        assert process.stderr is not None
        said = ""
        while "retrying for up to 5 min" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
    finally:
        gateway.start()
    _, told = process.communicate(timeout=180)
    assert process.returncode == 3, told
    assert "the server answers again" in told
    assert rows(out, "pictures") == rows(done, "pictures")
    assert_close(out, done)


def test_a_gateway_that_stays_away_stops_the_job_which_then_goes_on(
    gateway: GatewayProcess, done: Path, run: Run, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = spawn_paused(*job_arguments(many, out), "--gateway", gateway.url, "--patience-s", 1)
    gateway.end()
    process.send_signal(signal.SIGCONT)
    try:
        _, told = process.communicate(timeout=180)
    finally:
        gateway.start()
    assert process.returncode == 1
    assert re.search(rf"the job stopped: no answer from {gateway.url}: .*pictures? done and kept, the same", told)
    assert "Traceback" not in told
    assert all(row["error"] is None or "broken" in row["reason"] for row in rows(out, "pictures"))
    assert PART <= len(rows(out, "pictures")) < MANY
    assert run(*job_arguments(many, out), "--gateway", gateway.url).exit_code == 3
    assert_close(out, done)


def test_ctrl_c_while_the_gateway_is_away_is_heard(gateway: GatewayProcess, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = spawn_paused(*job_arguments(many, out), "--gateway", gateway.url)
    gateway.end()
    process.send_signal(signal.SIGCONT)
    try:
        assert process.stderr is not None
        while "retrying" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        gateway.start()
    assert process.returncode == 130
    assert "the same command continues from there" in told
    assert "Traceback" not in told


def test_a_detector_that_is_replaced_meanwhile_stops_the_job_and_is_refused(many: Path, tmp_path: Path) -> None:
    bundle, out = tmp_path / "bundle", tmp_path / "out"
    shutil.copytree(open_bundle().folder, bundle)
    gateway = GatewayProcess("--detector", bundle)
    gateway.start()
    try:
        process = spawn_paused(*job_arguments(many, out), "--gateway", gateway.url)
        gateway.end()
        manifest = json.loads((bundle / MANIFEST).read_text())
        manifest["provenance"]["checkpoint_sha256"] = "0" * 64
        (bundle / MANIFEST).write_text(json.dumps(manifest))
        gateway.start()
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=180)
        again = spawn(*job_arguments(many, out), "--gateway", gateway.url)
        _, refused = again.communicate(timeout=180)
    finally:
        gateway.end()
    assert process.returncode == again.returncode == 1
    assert re.search(r"detector\.checkpoint_sha256: was \w+, is 0000", refused)
    assert "the gateway has another detector now: expected scenes" in told
    assert "found scenes (000000000000)" in told


def test_a_guarded_gateway(run: Run, many: Path, tmp_path: Path) -> None:
    key, keys, shown = new_key(), tmp_path / "keys", tmp_path / "key"
    append_key(keys, Key("jobs", digest(key), None))
    shown.write_text(f"{key}\n")
    with gateway_process("--keys", keys) as gateway:
        refused = spawn(many, "--out", tmp_path / "out", "--limit", 2, "--gateway", gateway.url)
        _, told = refused.communicate(timeout=60)
        assert refused.returncode == 1
        assert "Traceback" not in told
        done = run(many, "--out", tmp_path / "out", "--limit", 2, "--gateway", gateway.url, "--key-file", shown)
    assert done.exit_code == 0
    assert key not in (tmp_path / "out" / "job.json").read_text()


def test_nobody_there(run: Run, many: Path, tmp_path: Path) -> None:
    gateway = GatewayProcess()  # not started
    with pytest.raises(NoAnswerError, match=re.escape(gateway.url)):
        run(many, "--out", tmp_path / "out", "--gateway", gateway.url)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--triton-model", "x"], "--triton-model"),
        (["--key-file", __file__], "--key-file"),
        (["--gateway", "http://127.0.0.1:9", "--triton", "127.0.0.1:9"], "--gateway"),
        (["--gateway", "http://127.0.0.1:9", "--detector", "x"], "--gateway"),
        (["--gateway", "127.0.0.1:9"], "--gateway"),
        (["--gateway", "http://127.0.0.1:9", "--engine", "ray"], "--gateway"),
        (["--ray-actors", "2"], "--ray-actors"),
        (["--triton", "nowhere"], "--triton"),
    ],
)
def test_options_that_contradict_each_other(
    run: Run, many: Path, tmp_path: Path, options: list[str], named: str
) -> None:
    with pytest.raises(ParameterError) as refused:
        run(many, "--out", tmp_path / "out", *options)
    assert refused.value.parameter == named
