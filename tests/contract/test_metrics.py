"""GET /metrics, the request's name, and its line in the log."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from figures import value_in
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from dirdet.detector.detector import Detector
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import KeyFile, append_key
from dirdet.gateway.access.settings import Access
from dirdet.gateway.app import create_app
from dirdet.gateway.telemetry.log_format import configure_logging

from .conftest import caller

Call = Callable[..., httpx.Response]
EXPRESSION = re.compile(r'"expr": "((?:[^"\\]|\\.)*)"')
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def picture(rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]) -> bytes:
    return encode(rectangles())


def value(call: Call, name: str, **labels: str) -> float:
    """Of one series, 0 where there is none yet."""
    return value_in(call("GET", "/metrics").text, name, **labels)


def detect(call: Call, picture: bytes, **headers: str) -> httpx.Response:
    return call("POST", "/detect", content=picture, headers={"content-type": "image/png", **headers})


def test_requests_are_counted_by_route_and_status(call: Call, picture: bytes) -> None:
    detect(call, picture)
    detect(call, b"no picture")
    call("GET", "/a/made/up/path")
    call("GET", "/another")
    name = "http_server_request_duration_seconds_count"
    route = {"http_request_method": "POST", "http_route": "/detect"}
    assert value(call, name, **route, http_response_status_code="200") == 1
    assert value(call, name, **route, http_response_status_code="415") == 1
    unknown = {"http_request_method": "GET", "http_route": "unknown", "http_response_status_code": "404"}
    assert value(call, name, **unknown) == 2
    assert value(call, "http_server_active_requests") == 1  # the one that asks


def test_what_was_served_is_told_by_class(call: Call, picture: bytes) -> None:
    [image] = detect(call, picture).json()["images"]
    assert [each["label"] for each in image["detections"]] == ["red"]
    detector = call("GET", "/detector").json()["name"]
    for name, figure in (("dirdet_served_score", "score"), ("dirdet_served_iou", "iou")):
        assert value(call, f"{name}_count", detector=detector, label="red") == 1
        served = value(call, f"{name}_sum", detector=detector, label="red")
        assert served == pytest.approx(image["detections"][0][figure], rel=1e-3)


def test_an_unexpected_error_is_counted_and_named(call: Call, engine: Any, picture: bytes) -> None:
    engine.broken = RuntimeError("a secret")
    answer = detect(call, picture, **{"x-request-id": "mine-1"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "mine-1"
    assert "secret" not in answer.text
    route = {"http_request_method": "POST", "http_route": "/detect", "http_response_status_code": "500"}
    assert value(call, "http_server_request_duration_seconds_count", **route) == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("mine-1", True), ("a:b/c+d=e@f", True), ("x" * 128, True), ("x" * 129, False), ("two words", False), ("", False)],
)
def test_a_request_is_called_what_its_client_calls_it(call: Call, sent: str, *, kept: bool) -> None:
    named = call("GET", "/health/live", headers={"x-request-id": sent}).headers["x-request-id"]
    assert named == sent if kept else re.fullmatch("[0-9a-f]{32}", named)


def test_every_request_has_one_line_without_its_picture(
    call: Call, picture: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers.clear()
    configure_logging("json")
    try:
        headers = {"x-request-id": "mine-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        call("POST", "/detect", files={"image": ("my holiday.png", picture)}, headers=headers)
        call("GET", "/health/live")
    finally:
        root.handlers[:], root.level = before
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [line] = [line for line in lines if line["logger"] == "dirdet.request"]
    assert line["request_id"] == "mine-1"
    assert line["trace_id"] == TRACE
    assert (line["method"], line["route"], line["status"], line["level"]) == ("POST", "/detect", 200, "INFO")
    assert 0 < line["duration_s"] < 60
    assert "holiday" not in json.dumps(lines)


def test_a_collector_without_what_speaks_to_it_is_named() -> None:
    """The extra is not among what the tests install."""
    code = "from dirdet.gateway.telemetry.traces import telemetry; telemetry()"
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    hidden = "import sys; sys.modules['opentelemetry.exporter'] = None; "
    ran = subprocess.run(
        [sys.executable, "-c", hidden + code], env=environment, capture_output=True, text=True, check=False
    )
    assert "MissingExtraError: OTEL_EXPORTER_OTLP_ENDPOINT asks for OpenTelemetry export" in ran.stderr
    assert "pip install '.[otel]'" in ran.stderr


def test_the_dashboard_shows_what_there_is(call: Call, picture: bytes) -> None:
    detect(call, picture)
    families = list(text_string_to_metric_families(call("GET", "/metrics").text))
    there = {sample.name for family in families for sample in family.samples}
    # Some appear with the first request that is refused, or that a candidate computes too.
    there |= {f"{family.name}_total" for family in families if family.type == "counter"}
    [dashboard] = (Path(__file__).parents[2] / "docker" / "observability").rglob("dashboards/*.json")
    shown = re.findall(r"\b(?:http_server|dirdet)_[a-z_]+", " ".join(EXPRESSION.findall(dashboard.read_text())))
    assert set(shown) - there == set()
    assert len(set(shown)) > 5


def test_a_request_that_is_turned_away_has_its_route(detector: Detector, tmp_path: Path) -> None:
    secret, path = new_key(), tmp_path / "keys"
    append_key(path, Key("phone", digest(secret)))
    call = caller(create_app(detector, access=Access(keys=KeyFile(path))))
    for asked in ("/detect", "/made/up"):
        assert call("POST", asked).status_code == 401
    text = call("GET", "/metrics", headers={"X-API-Key": secret}).text
    assert 'http_route="/detect"' in text
    assert "made" not in text


def test_a_request_to_an_unknown_detector_has_its_whole_route(call: Call) -> None:
    assert call("POST", "/detectors/nobody/detect", json={}).status_code == 404
    route = {"http_request_method": "POST", "http_route": "/detectors/{name}/detect"}
    assert value(call, "http_server_request_duration_seconds_count", **route, http_response_status_code="404") == 1
