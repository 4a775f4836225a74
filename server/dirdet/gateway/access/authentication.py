"""Authentication and rate limits, both before the body of a request is read."""

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirdet.api.problems import headers_of, problem_of, problem_response
from dirdet.errors import DirdetError, ForbiddenError, RateLimitError, UnauthorizedError
from dirdet.gateway.access.api_keys import Key
from dirdet.gateway.access.key_file import KeyFile
from dirdet.gateway.access.public_paths import is_open, route_path
from dirdet.gateway.access.rate_limits import Allowance

KEY_HEADER = "X-API-Key"
HOW = f"send `Authorization: Bearer KEY` or `{KEY_HEADER}: KEY`"
# Names in a request's state.
KEY = "dirdet_key"
# Counts further pictures of the request against its key's rate.
SPEND = "dirdet_spend"


class Guard:
    """ASGI middleware for a server with keys; it puts the request's key into the request's state (`key_of`)."""

    def __init__(self, app: ASGIApp, *, keys: KeyFile) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers it with 401 or 429."""
        if scope["type"] == "lifespan" or is_open(route_path(scope)):
            await self._app(scope, receive, send)
            return
        try:
            key = self._find(self._keys, Headers(scope=scope))
        except UnauthorizedError as exc:
            await _refuse(exc, {}, scope, receive, send)
            return
        bucket = self._keys.bucket(key)
        scope.setdefault("state", {})[KEY] = key
        if bucket is None:
            await self._app(scope, receive, send)
            return
        if not bucket.take():
            left = bucket.look()
            await _refuse(_too_many(key, left), left.headers(), scope, receive, send)
            return

        scope["state"][SPEND] = bucket.spend

        async def send_with_allowance(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(bucket.look().headers())
            await send(message)

        await self._app(scope, receive, send_with_allowance)

    @staticmethod
    def _find(keys: KeyFile, headers: Headers) -> Key:
        presented = _presented(headers)
        if not presented:
            raise UnauthorizedError(f"the request has no key; {HOW}")
        if len(presented) > 1:
            raise UnauthorizedError(f"the request has several different keys; {HOW}, once", invalid=True)
        found = keys.find(presented.pop())
        if found is None:
            raise UnauthorizedError("the key is unknown or was removed", invalid=True)
        return found


def key_of(request: Request) -> Key | None:
    """The key of a request; None on a server without keys."""
    return getattr(request.state, KEY, None)


def require_admin(request: Request) -> Key:
    """A dependency of routes that change the server: `Depends(require_admin)`.

    Raises:
        ForbiddenError: the request's key is not an admin's, or the server has no keys.
    """
    key = key_of(request)
    if key is None:
        raise ForbiddenError("this needs the key of an admin, and the server has no keys; serve with --keys FILE")
    if not key.admin:
        raise ForbiddenError(f"this needs the key of an admin; {key.name!r} is not one")
    return key


def _presented(headers: Headers) -> set[bytes]:
    """The different keys of a request, as bytes; schemes other than Bearer belong to a proxy and are ignored."""
    found = {value.strip() for value in headers.getlist(KEY_HEADER)}
    for value in headers.getlist("authorization"):
        scheme, _, credentials = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            found.add(credentials.strip())
    return {value.encode("latin-1") for value in found if value}


def _too_many(key: Key, allowance: Allowance) -> RateLimitError:
    return RateLimitError(
        f"{key.name!r} may send pictures at {allowance.rate}; ask again in {allowance.retry_in_s} s",
        retry_after_s=allowance.retry_in_s,
    )


async def _refuse(error: DirdetError, headers: dict[str, str], scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    response = problem_response(problem_of(error), headers=headers_of(error) | headers)
    await response(scope, receive, send)
