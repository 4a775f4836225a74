"""The outermost middleware: gives every request an id, measures it and logs one line."""

import logging
import re
import time
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from opentelemetry import propagate, trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirdet.gateway.access.api_keys import Key
from dirdet.gateway.access.authentication import KEY
from dirdet.gateway.access.public_paths import HEALTH, route_path
from dirdet.gateway.telemetry.metrics import Metrics
from dirdet.untrusted_text import one_line, visible

log = logging.getLogger("dirdet.request")

HEADER = "X-Request-ID"
# Ids that clients may choose; none of them can break a log line or a header.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")

current: ContextVar[str | None] = ContextVar("dirdet_request_id", default=None)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})
# Requested every few seconds by machines: logged only when they fail.
PROBES = HEALTH | {"/metrics"}
UNKNOWN = "unknown"
# Characters of an unknown path that are logged.
MOST_PATH = 200
# nginx's status for a client that closed the connection before the answer; never sent.
CLIENT_CLOSED = 499


def declared_paths(app: FastAPI) -> frozenset[str]:
    """Paths of the API without parameters, as labels for requests that matched no route."""
    return frozenset(path for path in app.openapi()["paths"] if "{" not in path)


class RequestLog:
    """ASGI middleware outside of all others."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, paths: frozenset[str]) -> None:
        """Wraps an app.

        Args:
            app: to wrap.
            metrics: record the durations.
            paths: from `declared_paths`.
        """
        self._app = app
        self._paths = paths
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Puts the request's id into the answer's X-Request-ID, and logs the request when it has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = request_id(Headers(scope=scope).get(HEADER))
        # Here, so that what is added further in is seen here too.
        scope.setdefault("state", {})
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
        """The path as declared, so that parameters in paths make no new time series."""
        path = getattr(scope.get("route"), "path_format", None) or getattr(scope.get("route"), "path", None)
        if isinstance(path, str):
            return path
        asked = route_path(scope)
        return asked if asked in self._paths else UNKNOWN

    def _tell(self, scope: Scope, status: int, duration_s: float, answer_bytes: int) -> None:
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        route = self._route(scope)
        self._metrics.request_ended(method, route, status, duration_s)
        used: Key | None = scope["state"].get(KEY)
        key = None if used is None else used.name
        if key is not None:
            self._metrics.key_used(key, status)
        client = scope.get("client")
        fields: dict[str, Any] = {
            "method": method,
            "route": route,
            "path": _asked(scope) if route == UNKNOWN else None,
            "key": key,
            "status": status,
            "duration_s": round(duration_s, 6),
            "client": client[0] if client else None,
            "answer_bytes": answer_bytes,
            "trace_id": _trace_id(scope),
        }
        quiet = route in PROBES and status < 400
        level = logging.DEBUG if quiet else logging.INFO
        asked = fields["path"] or route
        log.log(level, "%s %s %d %.0f ms", method, asked, status, 1000 * duration_s, extra=fields)


def _asked(scope: Scope) -> str:
    """The path of a request that matched no route, in one short line."""
    return one_line(visible(route_path(scope)[:MOST_PATH]))


def _trace_id(scope: Scope) -> str | None:
    """The id of the request's W3C trace, 32 hexadecimal digits, whether or not it is exported."""
    span = trace.get_current_span()
    if not span.get_span_context().is_valid:
        # Not dict(Headers(...)), which searches all headers for each: a second for ten thousand.
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        span = trace.get_current_span(propagate.extract(headers))
    context = span.get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def request_id(sent: str | None) -> str:
    """The id that the client sent if it is acceptable, else a new one.

    Args:
        sent: the value of the header X-Request-ID.
    """
    return sent if sent is not None and _ACCEPTABLE.fullmatch(sent) else uuid4().hex
