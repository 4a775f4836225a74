"""Refusals that arrive: a connection that is closed while its body still comes takes the answer with it."""

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What of a body is read and forgotten behind an answer that ends its connection.
LINGER_S = 1.0
LINGER_BYTES = 16 * 2**20


class Lingering:
    """ASGI middleware: behind an answer that closes the connection, it reads what is left of the request for a while.

    Closing with bytes unread makes the system reset the connection, and what the caller has not read is lost.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wraps the app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the app does; the answer is complete for its caller before anything is waited for."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = False
        closing = _closes(Headers(scope=scope))

        async def watched_receive() -> Message:
            nonlocal received
            message = await receive()
            received = received or message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def lingering_send(message: Message) -> None:
            nonlocal closing
            if message["type"] == "http.response.start":
                closing = closing or _closes(Headers(raw=message.get("headers", [])))
            elif closing and not received and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await forget_rest()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        async def forget_rest() -> None:
            left = LINGER_BYTES
            with anyio.move_on_after(LINGER_S):
                while not received and left > 0:
                    left -= len((await watched_receive()).get("body", b""))

        await self._app(scope, watched_receive, lingering_send)


def _closes(headers: Headers) -> bool:
    return "close" in headers.get("connection", "").lower()
