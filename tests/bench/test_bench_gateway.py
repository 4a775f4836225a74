"""dirdet bench gateway: what is sent, what is refused, and, where wrk is, a real load."""

import shutil
from functools import partial
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from PIL import Image

from dirdet.errors import EngineError, MissingExtraError, ParameterError
from dirdet_bench.harness.processes import free_port, json_lines, running
from dirdet_bench.serving.fake_engine import DETECTIONS
from dirdet_bench.serving.gateway import BEFORE, EVENT_LOOP, OPTIONS, REST, command, measured, started
from dirdet_bench.serving.wrk import answers, bodies, load


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (640, 480), "teal").save(path)
    return path


def test_a_folder_without_jpegs_is_refused(tmp_path: Path) -> None:
    found = CliRunner().invoke(command, ["--pictures", str(tmp_path)])
    assert isinstance(found.exception, ParameterError)
    assert "expected JPEG files" in str(found.exception)


def test_a_server_that_does_not_start_is_told_with_its_last_words() -> None:
    wrong = ["python3", "-c", "raise SystemExit('no such thing')"]
    with (
        pytest.raises(EngineError, match="wrong did not start: no such thing"),
        running("wrong", wrong, port=free_port(), ready=lambda _: False),
    ):
        pass


def test_another_version_runs_from_its_checkout(tmp_path: Path) -> None:
    serving = tmp_path / "bench" / "dirdet_bench" / "serving"
    serving.mkdir(parents=True)
    for folder in (serving.parent, serving):
        (folder / "__init__.py").touch()
    (serving / "fake_engine.py").write_text("raise SystemExit('the other version')")
    with (
        pytest.raises(EngineError, match="dirdet before did not start: the other version"),
        started(BEFORE, lambda _: False, before=tmp_path),
    ):
        pass


def test_a_process_that_ends_before_it_answers_is_told() -> None:
    program = "import sys; print(sys.stdin.readline(), end='', flush=True)"
    with json_lines("it", ["python3", "-c", program]) as ask:
        assert ask({"a": [1, None]}) == {"a": [1, None]}
        with pytest.raises(EngineError, match="it ended"):
            ask(None)


def test_without_wrk_what_brings_it_is_named(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="apt-get install wrk"):
        load(1, bodies([picture], tmp_path), callers=1, seconds=1, folder=tmp_path)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_gateway_answers_under_load(picture: Path, tmp_path: Path, name: str) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk, which makes the load, is not installed")
    [body] = bodies([picture], tmp_path)
    with started(name, partial(answers, body=body)) as server:
        found = measured(server, lambda: load(server.port, [body], callers=2, seconds=1, folder=tmp_path), own=True)
    assert found.cpu_s > 0
    assert found.load.requests > 0
    assert {"decode", "infer", "finish", "encode", EVENT_LOOP, REST} <= set(found.stages_s)
    # The system counts hundredths of a second.
    assert all(seconds > -0.05 for seconds in found.stages_s.values())
    assert found.stages_s["decode"] > 0
    assert found.stages_s[EVENT_LOOP] > 0
    assert 0 < found.load.p50_s <= found.load.p99_s


def test_the_fake_engine_finds_as_many_boxes_as_the_others_answer(picture: Path, tmp_path: Path) -> None:
    [body] = bodies([picture], tmp_path)
    with started("dirdet", partial(answers, body=body)) as server:
        url, headers = f"http://127.0.0.1:{server.port}/detect", {"Content-Type": "image/jpeg"}
        answer = httpx.post(url, content=picture.read_bytes(), headers=headers)
    assert len(answer.json()["images"][0]["detections"]) == len(DETECTIONS) == 10
