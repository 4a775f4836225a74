"""OpenTelemetry export to a collector: a real one's protocol, spoken to by a real gateway."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from waiting import PATIENCE_S

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collected() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Where a collector listens, and what it has got: paths and bodies."""
    got: list[tuple[str, bytes]] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", got
        server.shutdown()
        thread.join()


def test_a_callers_trace_goes_on_to_the_collector(collected: tuple[str, list[tuple[str, bytes]]]) -> None:
    address, got = collected
    command = [sys.executable, "-c", "from dirdet.cli import main; main()", "serve", "--port", "0"]
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            url = line.split("listening on ")[1].split()[0]
            headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
            httpx.get(f"{url}/health/live", headers=headers, timeout=PATIENCE_S).raise_for_status()
        finally:
            process.terminate()
            rest = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 0, rest
    spans = [
        span
        for path, body in got
        if path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    [span] = [span for span in spans if span.name == "GET /health/live"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert any(path == "/v1/metrics" for path, _ in got)
