"""dirdet bench gateway: what is sent, what is refused, and, where wrk is, a real load."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from dirdet.bench.gateway.contestants import DIRDET
from dirdet.bench.gateway.decoding import decode
from dirdet.bench.gateway.load import answers, bodies, load
from dirdet.bench.gateway.processes import running
from dirdet.bench.gateway.stages import EVENT_LOOP, REST, between, cpu_by_stage
from dirdet.commands.bench_gateway import command
from dirdet.errors import EngineError, MissingExtraError, ParameterError


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (640, 480), "teal").save(path)
    return path


def test_a_folder_without_jpegs_is_refused(tmp_path: Path) -> None:
    found = CliRunner().invoke(command, ["--pictures", str(tmp_path)])
    assert isinstance(found.exception, ParameterError)
    assert "expected JPEG files" in str(found.exception)


def test_decoding_alone_counts_every_threads_pictures(picture: Path) -> None:
    assert decode([picture], threads=2, seconds=0.2) > 1


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    wrong = ["python3", "-c", "raise SystemExit('no such thing')"]
    with (
        pytest.raises(EngineError, match="wrong did not start: no such thing"),
        running("wrong", wrong, environment={}, folder=tmp_path, answers=lambda _: False),
    ):
        pass


def test_without_wrk_what_brings_it_is_named(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="apt-get install wrk"):
        load(1, bodies([picture], tmp_path), callers=1, seconds=1, folder=tmp_path)


def test_the_gateway_answers_under_load(picture: Path, tmp_path: Path) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk, which makes the load, is not installed")
    [body] = bodies([picture], tmp_path)
    environment = DIRDET.environment(cores=1, canvas_hw=(256, 320))
    assert len(json.loads(environment["BENCH_DETECTIONS"])) == 10
    with running(
        "dirdet", DIRDET.argv(), environment=environment, folder=tmp_path, answers=partial(answers, body=body)
    ) as server:
        before = cpu_by_stage(server)
        found = load(server.port, [body], callers=2, seconds=1, folder=tmp_path)
        stages = between(before, cpu_by_stage(server))
        assert server.cpu_seconds() > 0
    assert found.requests > 0
    assert {"decode", "infer", "finish", "encode", EVENT_LOOP, REST} <= set(stages)
    # The system counts hundredths of a second.
    assert all(seconds > -0.05 for seconds in stages.values())
    assert stages["decode"] > 0
    assert stages[EVENT_LOOP] > 0
    assert 0 < found.p50_s <= found.p99_s
