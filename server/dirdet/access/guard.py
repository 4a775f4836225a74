"""The door: asks for a key and holds its rate before anything of a request is read."""

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirdet.access.key_file import KeyFile
from dirdet.access.keys import Key
from dirdet.access.open_paths import is_open, route_path
from dirdet.access.rates import Allowance, TokenBucket
from dirdet.errors import DirdetError, ForbiddenError, RateLimitError, UnauthorizedError
from dirdet.problems import headers_of, problem_of, problem_response

KEY_HEADER = "X-API-Key"
HOW = f"send `Authorization: Bearer KEY` or `{KEY_HEADER}: KEY`"
# Names in a request's state.
KEY = "dirdet_key"
BUCKET = "dirdet_bucket"


class Guard:
    """ASGI middleware; without a file of keys everybody is let in.

    The key that was found is in the request's state, for `key_of`.
    """

    def __init__(self, app: ASGIApp, *, keys: KeyFile | None) -> None:
        """Wraps the app."""
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers it with 401 or 429."""
        if self._keys is None or scope["type"] == "lifespan" or is_open(route_path(scope)):
            await self._app(scope, receive, send)
            return
        try:
            key = self._find(self._keys, Headers(scope=scope))
        except UnauthorizedError as exc:
            await _refuse(exc, {}, scope, receive, send)
            return
        bucket = self._keys.bucket(key)
        scope["state"] = {**scope.get("state", {}), KEY: key, BUCKET: bucket}
        if bucket is None:
            await self._app(scope, receive, send)
            return
        if not bucket.take():
            left = bucket.look()
            await _refuse(_too_many(key, left), left.headers(), scope, receive, send)
            return

        async def send_with_allowance(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(bucket.look().headers())
            await send(message)

        await self._app(scope, receive, send_with_allowance)

    @staticmethod
    def _find(keys: KeyFile, headers: Headers) -> Key:
        presented = _presented(headers)
        if not presented:
            raise UnauthorizedError(f"no key came with the request; {HOW}")
        if len(presented) > 1:
            raise UnauthorizedError(f"different keys came with the request; {HOW}, once", invalid=True)
        found = keys.find(presented.pop())
        if found is None:
            raise UnauthorizedError("the key is not known here, or not any more", invalid=True)
        return found


def key_of(request: Request) -> Key | None:
    """The key that a request came with; None where none is asked for."""
    return getattr(request.state, KEY, None)


def count_pictures(request: Request, number: int) -> None:
    """Counts the pictures that a request turned out to bring, at least one, against its key's rate."""
    bucket: TokenBucket | None = getattr(request.state, BUCKET, None)
    if bucket is not None:
        bucket.spend(number - 1)  # the request itself was counted as one


def require_admin(request: Request) -> Key:
    """A dependency of routes that change the server: `Depends(require_admin)`.

    Raises:
        ForbiddenError: the request's key is no admin's, or the server has no keys, and so knows no admin.
    """
    key = key_of(request)
    if key is None:
        raise ForbiddenError("this needs the key of an admin, and the server has no keys; serve with --keys FILE")
    if not key.admin:
        raise ForbiddenError(f"this needs the key of an admin; {key.name!r} is none")
    return key


def _presented(headers: Headers) -> set[bytes]:
    """The different keys of a request, as bytes; other schemes than Bearer are a proxy's, and passed over."""
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
