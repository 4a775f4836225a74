"""Sees every request from outside: its name, its time, one log line."""

import logging
import time
from typing import Any

from fastapi import FastAPI
from opentelemetry import propagate, trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirdet.access.open_paths import route_path
from dirdet.telemetry.metrics import Metrics
from dirdet.telemetry.request_id import HEADER, current, request_id

log = logging.getLogger("dirdet.request")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})
# Asked every few seconds by machines: of interest only when they fail.
PROBES = frozenset({"/health/live", "/health/ready", "/metrics", "/v2/health/live", "/v2/health/ready"})
# nginx's: the client closed the connection before it was answered. No answer bears it.
CLIENT_CLOSED = 499


def declared_paths(app: FastAPI) -> frozenset[str]:
    """Those of the API without parameters, by which a request is told that came to no route."""
    return frozenset(path for path in app.openapi()["paths"] if "{" not in path)


class RequestLog:
    """ASGI middleware, outside of all others."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, paths: frozenset[str]) -> None:
        """Wraps the app.

        Args:
            app: answers.
            metrics: keeps the durations.
            paths: see `declared_paths`.
        """
        self._app = app
        self._paths = paths
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Names the request in its answer's X-Request-ID, and tells of it when it has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = request_id(Headers(scope=scope).get(HEADER))
        token = current.set(name)
        status, ended = CLIENT_CLOSED, False
        answer_bytes = 0

        async def send_named(message: Message) -> None:
            nonlocal status, ended, answer_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = name
            elif message["type"] == "http.response.body":
                answer_bytes += len(message.get("body", b""))
                ended = not message.get("more_body", False)
            await send(message)

        begun = time.perf_counter()
        self._metrics.request_began()
        try:
            await self._app(scope, receive, send_named)
        except Exception:
            status = status if ended else 500
            raise
        finally:
            self._tell(scope, status, time.perf_counter() - begun, answer_bytes)
            current.reset(token)

    def _route(self, scope: Scope) -> str:
        """The path as it was declared, so that what people put into paths makes no new series."""
        path = getattr(scope.get("route"), "path_format", None) or getattr(scope.get("route"), "path", None)
        if isinstance(path, str):
            return path
        asked = route_path(scope)
        return asked if asked in self._paths else "unknown"

    def _tell(self, scope: Scope, status: int, duration_s: float, answer_bytes: int) -> None:
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        route = self._route(scope)
        self._metrics.request_ended(method, route, status, duration_s)
        client = scope.get("client")
        fields: dict[str, Any] = {
            "method": method,
            "route": route,
            "status": status,
            "duration_s": round(duration_s, 6),
            "client": client[0] if client else None,
            "answer_bytes": answer_bytes,
            "trace_id": _trace_id(scope),
        }
        quiet = route in PROBES and status < 400
        level = logging.DEBUG if quiet else logging.INFO
        log.log(level, "%s %s %d %.0f ms", method, route, status, 1000 * duration_s, extra=fields)


def _trace_id(scope: Scope) -> str | None:
    """Of the W3C trace that the request belongs to, 32 hexadecimal digits, whether or not it is exported."""
    span = trace.get_current_span()
    if not span.get_span_context().is_valid:
        # Not dict(Headers(...)), which looks through all of them for each: a second for ten thousand.
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        span = trace.get_current_span(propagate.extract(headers))
    context = span.get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
