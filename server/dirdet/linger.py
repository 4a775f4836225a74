"""Takes in what a client still sends after its answer: one that is cut off while it sends never reads why."""

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirdet.drain import Drain

# A refused request is worth so much of the line, and no memory: every piece is dropped as it comes.
LINGER_BYTES = 128 * 2**20
LINGER_S = 5.0
STOPPING_S = 0.5


class Lingering:
    """ASGI middleware: the answer goes out at once, its end when the rest of the body has come, or its time is over.

    Many clients (Python's urllib among them) read nothing before they have sent everything, and a connection that is
    closed before is an error without a text to them. A body without a length, above LINGER_BYTES or that waits for
    `100 Continue` is not waited for, and a server that stops waits a moment only.
    """

    def __init__(self, app: ASGIApp, *, drain: Drain) -> None:
        """Wraps the app, which `drain` ends."""
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http" or not _worth_it(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        coming = True

        async def counted() -> Message:
            nonlocal coming
            message = await receive()
            coming = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def send_then_wait(message: Message) -> None:
            if message["type"] != "http.response.body" or message.get("more_body", False) or not coming:
                await send(message)
                return
            await send({**message, "more_body": True})
            waiting = self._drain.begin()
            waiting.scope.deadline = anyio.current_time() + (STOPPING_S if self._drain.stopping else LINGER_S)
            with waiting.scope:
                while coming:
                    await counted()
            self._drain.end(waiting)
            await send({"type": "http.response.body", "body": b""})

        await self._app(scope, counted, send_then_wait)


def _worth_it(headers: Headers) -> bool:
    length = headers.get("content-length", "")
    return length.isdecimal() and 0 < int(length) <= LINGER_BYTES and "expect" not in headers
