"""Redirects of web servers: only a typed address may be redirected to another server, and without its password.

A name in a list, or one that a server lists, may be hostile. A redirect could lead it to a host that only this machine
reaches, with the password that ~/.netrc has for that host.
"""

import importlib
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from dirdet.errors import UnreadableError

_typed: set[str] = set()
_origins: set[tuple[str, str]] = set()


def allow(addresses: Iterable[str]) -> None:
    """Registers typed addresses: these may be redirected, and their servers may receive passwords."""
    for address in addresses:
        _typed.add(_bare(address))
        _origins.add(_origin(address))


def typed() -> list[str]:
    """The addresses registered by `allow`."""
    return sorted(_typed)


@cache
def session_options() -> dict[str, Any]:
    """Arguments of `aiohttp.ClientSession`, always the same objects: fsspec keeps a session for each new value."""
    trace = importlib.import_module("aiohttp").TraceConfig()
    trace.on_request_start.append(_remember)
    trace.on_request_redirect.append(_check)
    return {"trace_configs": [trace], "middlewares": (_without_password,)}


async def _remember(_session: object, context: Any, asked: Any) -> None:  # noqa: ANN401
    context.first = str(asked.url)


async def _check(_session: object, context: Any, answered: Any) -> None:  # noqa: ANN401
    headers = answered.response.headers
    there = answered.url.join(type(answered.url)(headers.get("Location") or headers.get("URI") or ""))
    if _origin(str(there)) == _origin(str(answered.url)) or _bare(context.first) in _typed:
        return
    answered.response.close()
    raise UnreadableError(f"its server redirects to another, {there.host}, which is allowed only for a typed address")


async def _without_password(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """Removes the password that aiohttp takes from ~/.netrc for any host, unless the server was typed."""
    if _origin(str(request.url)) not in _origins:
        request.headers.pop("Authorization", None)
    return await handler(request)


def _bare(address: str) -> str:
    return address.partition("#")[0].rstrip("/")


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, f"{parts.hostname}:{parts.port or standard}"
