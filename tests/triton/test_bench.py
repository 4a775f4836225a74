"""`dirdet bench triton` against a real server and a real gateway."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dirdet.bundle.bundle import Bundle
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository
from dirdet.errors import EngineError, ParameterError
from dirdet_bench.serving.triton import command

from .gateway import serving
from .idle import write_idle
from .server import TritonServer, running

PICTURE = str(Path(__file__).resolve().parents[2] / "docs" / "example.jpg")


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, PICTURE])


def test_the_ways_side_by_side(server: TritonServer, tmp_path: Path) -> None:
    out = tmp_path / "ways.json"
    load = ["--rounds", "2", "--requests", "4", "--concurrency", "2", "--json", str(out)]
    result = bench("--triton", server.address, *load)
    assert result.exit_code == 0, result.output
    assert "| scenes_detector | " in result.stdout
    assert "triton: triton 2.51.0" in result.stdout
    content = json.loads(out.read_text())
    assert {row["name"]: len(row["values"]) for row in content["rows"]} == {
        "scenes_detector": 2,
        "scenes_detector_onnx": 2,
    }
    for figures in content["facts"]["latencies_ms"].values():
        assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]


@pytest.fixture
def idle(bundle: Bundle, make_server: Callable[..., TritonServer], tmp_path: Path) -> Iterator[TritonServer]:
    """Answers at once: the command is on trial, not the network."""
    write_repository(bundle, tmp_path / "models", options=RepositoryOptions(onnxruntime="python"))
    write_idle(bundle, tmp_path / "models")
    with running(make_server(tmp_path / "models", torch=False)) as started:
        yield started


def test_what_the_gateway_adds(idle: TritonServer, tmp_path: Path) -> None:
    out = tmp_path / "gateway.json"
    with serving(idle.address, "--timeout-s", "60") as gateway:
        result = bench("--triton", idle.address, "--gateway", gateway.url, "--rounds", "3", "--json", str(out))
    assert result.exit_code == 0, result.output
    assert "the gateway adds at p50" in result.stdout
    content = json.loads(out.read_text())
    rows, facts = {row["name"]: row for row in content["rows"]}, content["facts"]
    assert len(rows["through the gateway"]["values"]) == 3
    assert rows["the gateway adds at p99"]["goal"] == {"at_most": 5}
    assert facts["added_ms"].keys() == {"p50", "p95", "p99"}
    direct, through = (facts["latencies_ms"][way]["p50"] for way in ("Triton, directly", "through the gateway"))
    assert facts["added_ms"]["p50"] == pytest.approx(through - direct, abs=0.002)


def test_nobody_there(server: TritonServer) -> None:
    nobody = bench("--triton", "127.0.0.1:9")
    assert isinstance(nobody.exception, EngineError)
    assert "--triton: 127.0.0.1:9 does not answer" in str(nobody.exception)
    no_gateway = bench("--triton", server.address, "--gateway", "http://127.0.0.1:9")
    assert isinstance(no_gateway.exception, EngineError)
    assert "the gateway at http://127.0.0.1:9 does not answer" in str(no_gateway.exception)
    no_address = bench("--triton", server.address, "--gateway", "127.0.0.1:8000")
    assert isinstance(no_address.exception, ParameterError)
