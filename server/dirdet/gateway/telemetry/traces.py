"""OpenTelemetry export where the environment names a collector: FastAPI's own, after a check of what it needs."""

import importlib.util
import os

from fastapi.telemetry import TelemetryConfig

from dirdet.errors import MissingExtraError, install_hint

# https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
SERVICE_NAME = "OTEL_SERVICE_NAME"


def telemetry() -> TelemetryConfig:
    """Spans (which continue the client's, by traceparent) and HTTP metrics by OTLP, if a collector is named.

    Raises:
        MissingExtraError: a collector is named, and the exporter is not installed.
    """
    named = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if named is not None and not _installed("opentelemetry.exporter.otlp.proto.http"):
        raise MissingExtraError(
            f"{named} asks for OpenTelemetry export, which is not installed: {install_hint('otel')}"
        )
    os.environ.setdefault(SERVICE_NAME, "dirdet")
    # Logs go to standard error only.
    return TelemetryConfig(auto_configure=named is not None, logs=False)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
