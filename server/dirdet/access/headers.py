"""Headers that every answer has: what a browser may do with it, and that nobody keeps it."""

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirdet.access.open_paths import OPEN_BELOW, route_path

ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
# An answer is no page: whatever a browser takes it for, it may load and show nothing.
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class AnswerHeaders:
    """ASGI middleware; a policy or a cache rule that a route sets itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps the app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and adds to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        kept = route_path(scope).startswith(OPEN_BELOW)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                headers.setdefault("Content-Security-Policy", NO_PAGE)
                # The pages' files are everybody's: a browser may keep them, and asks whether they changed.
                headers.setdefault("Cache-Control", "no-cache" if kept else "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


def page_policy(page: str) -> str:
    """A Content-Security-Policy for a page of this server: everything from here, and of scripts within it only its own.

    Args:
        page: the HTML as it is sent.
    """
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in INLINE_SCRIPT.findall(page)
    ]
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self'", *hashes]),
            "style-src 'self' 'unsafe-inline'",
            # data: is Swagger UI's icons; blob: a drawn picture that was asked for on the page.
            "img-src 'self' data: blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )
