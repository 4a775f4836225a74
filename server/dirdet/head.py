"""HEAD wherever there is GET: the same answer without its body (RFC 9110, section 9.3.2)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware; FastAPI's own routes answer HEAD with 405."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps the app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Asks the app as if by GET, and keeps the body back; its length stays announced."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)


def allowed(methods: str) -> str:
    """An Allow header with what this module adds."""
    names = [name.strip() for name in methods.split(",")]
    return ", ".join([*names, "HEAD"] if "GET" in names and "HEAD" not in names else names)
