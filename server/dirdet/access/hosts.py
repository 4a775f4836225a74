"""The host names that a server without keys answers to: none by which a foreign web page could read its answers.

A page of evil.example may let that name lead to 127.0.0.1 after it was loaded (DNS rebinding). A browser then takes the
server for the page's own origin; but its requests still say `Host: evil.example`.
"""

import re
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dirdet.errors import MisdirectedError
from dirdet.problems import problem_of, problem_response

# Nobody can have these in the public DNS: RFC 6761, RFC 6762, RFC 8375, and ICANN's resolution of 2024.
PRIVATE = (".localhost", ".local", ".internal", ".home.arpa", ".test")
# RFC 3986, 3.2.2: a host, and a port that says nothing here.
AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


class KnownHosts:
    """ASGI middleware that answers 421 to who asks another host (RFC 9110, 15.5.20)."""

    def __init__(self, app: ASGIApp, *, allowed: tuple[str, ...] | None) -> None:
        """Wraps the app.

        Args:
            app: answers.
            allowed: names beside those that nobody else can have; None: any.
        """
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if self._allowed is not None and scope["type"] == "http":
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
    """Says what was asked for, and how it would be answered."""
    return MisdirectedError(
        f"a server without keys answers to addresses and names of its own network, not to {asked[:100]!r}; "
        "--allowed-host NAME lets it, or serve with --keys FILE"
    )
