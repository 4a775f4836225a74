"""The middleware around the routes, a class each: headers, framing, HEAD, shutdown, hosts."""

import re
from ipaddress import ip_address
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirdet.api.problems import headers_of, problem_of, problem_response
from dirdet.errors import MisdirectedError, RequestError, StoppingError
from dirdet.gateway.access.public_paths import HEALTH, route_path
from dirdet.gateway.access.security_headers import ALWAYS, NO_PAGE
from dirdet.gateway.http.graceful_shutdown import Drain

# A target's scheme and authority.
ABSOLUTE = re.compile(rb"https?://([^/?#@]+)", re.IGNORECASE)
# Names that do not exist in the public DNS: RFC 6761, RFC 6762, RFC 8375, and ICANN's resolution of 2024.
PRIVATE = (".localhost", ".local", ".internal", ".home.arpa", ".test")
# RFC 3986, 3.2.2: a host, and a port, which does not matter here.
AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


class AnswerHeaders:
    """Adds security headers to every answer; a policy or cache rule that a route has set stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and adds to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                headers.setdefault("Content-Security-Policy", NO_PAGE)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class StrictFraming:
    """Answers 400 to a request that gives the length of its body twice, against request smuggling.

    h11 reads the chunks; a proxy that reads Content-Length would take the rest for another request. RFC 9112, section
    6.1, lets a server refuse such a request. The connection is closed, so the rest is never read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] == "http" and (found := _ambiguity(scope)):
            response = problem_response(problem_of(RequestError(found)), headers={"connection": "close"})
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


class AbsoluteTargets:
    """Accepts request targets in absolute form, `GET http://HOST/detector` (RFC 9112, section 3.2.2).

    A server must accept them and take the host from the target. Proxies and some clients send them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with the path and the host of its target."""
        # uvicorn puts the root path before whatever was asked.
        root = scope.get("root_path", "")
        target = (scope.get("raw_path") or b"").removeprefix(root.encode())
        if scope["type"] == "http" and (found := ABSOLUTE.match(target)):
            raw_path = target[found.end() :] or b"/"
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            path = root + unquote(raw_path.decode("ascii", "replace"))
            scope.update(path=path, raw_path=root.encode() + raw_path, headers=[(b"host", found[1]), *headers])
        await self._app(scope, receive, send)


def _ambiguity(scope: Scope) -> str | None:
    headers = Headers(scope=scope)
    if "transfer-encoding" not in headers:
        return None
    if "content-length" in headers:
        return "expected Content-Length or Transfer-Encoding, found both"
    if scope["http_version"] < "1.1":
        return f"expected no Transfer-Encoding in HTTP/{scope['http_version']} (RFC 9112, section 6.1)"
    return None


class HeadAsGet:
    """Answers HEAD like GET, without the body (RFC 9110, section 9.3.2); FastAPI's routes would answer 405."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on as GET, and drops the body of the answer; its Content-Length stays."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)


def allowed(methods: str) -> str:
    """An Allow header, with HEAD where there is GET."""
    names = [name.strip() for name in methods.split(",")]
    return ", ".join([*names, "HEAD"] if "GET" in names and "HEAD" not in names else names)


class Drained:
    """Counts requests in a `Drain`, and refuses or cancels them as it says; outside of the routes."""

    def __init__(self, app: ASGIApp, *, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers 503 when the drain has stopped."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._drain.stopping and route_path(scope) not in HEALTH:
            await _refuse_stopping(scope, receive, send)
            return
        request = self._drain.begin()

        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                request.received = True
            return message

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.answering = request.received = True
                if self._drain.stopping:
                    MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        try:
            with request.scope:
                await self._app(scope, watched_receive, watched_send)
            if request.scope.cancelled_caught and not request.answering:
                await _refuse_stopping(scope, receive, send)
        finally:
            self._drain.end(request)


async def _refuse_stopping(scope: Scope, receive: Receive, send: Send) -> None:
    error = StoppingError("the server is stopping; another may take the request")
    response = problem_response(problem_of(error), headers=headers_of(error) | {"connection": "close"})
    await response(scope, receive, send)


class KnownHosts:
    """Answers 421 to a request for another host (RFC 9110, 15.5.20), against DNS rebinding.

    A page of evil.example can let that name resolve to 127.0.0.1 after it was loaded. The browser then takes the server
    for the page's own origin, but still sends `Host: evil.example`.
    """

    def __init__(self, app: ASGIApp, *, allowed: tuple[str, ...]) -> None:
        """Wraps an app.

        Args:
            app: to wrap.
            allowed: host names beside addresses and private names.
        """
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] == "http":
            for asked in Headers(scope=scope).getlist("host"):
                if not is_known(asked, self._allowed):
                    response = problem_response(problem_of(misdirected(asked)))
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def is_known(authority: str, allowed: tuple[str, ...]) -> bool:
    """Whether a host, with a port or without, is an address, a name that no public DNS has, or an allowed one."""
    found = AUTHORITY.fullmatch(authority.strip().lower())
    if found is None:
        return False
    host = found[1].removesuffix(".")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return bool(NAME.fullmatch(host)) and ("." not in host or host.endswith(PRIVATE) or host in allowed)
    return True


def misdirected(asked: str) -> MisdirectedError:
    """The error for a host, with the options that allow it."""
    return MisdirectedError(
        f"a server without keys serves only addresses and private host names, not {asked[:100]!r}; "
        "--allowed-host NAME lets it, or serve with --keys FILE"
    )
