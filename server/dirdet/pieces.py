"""Large answers in pieces, each when the one before is on its way: so the server knows what is still to be read."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Of an answer that is handed on at once.
PIECE_BYTES = 64 * 1024


class InPieces:
    """ASGI middleware; what it wraps goes on when all but the last piece is on its way."""

    def __init__(self, app: ASGIApp, *, left: Callable[[int], None]) -> None:
        """Wraps an app.

        Args:
            app: answers.
            left: is told how many bytes of an answer are still to be handed on, at last 0.
        """
        self._app = app
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""

        async def send_pieces(message: Message) -> None:
            body = memoryview(message.get("body", b""))
            if message["type"] != "http.response.body" or len(body) <= PIECE_BYTES:
                await send(message)
                return
            try:
                while len(body) > PIECE_BYTES:
                    piece, body = body[:PIECE_BYTES], body[PIECE_BYTES:]
                    self._left(len(body))
                    await send({**message, "body": piece, "more_body": True})
                await send({**message, "body": body})
            finally:
                self._left(0)

        await self._app(scope, receive, send_pieces)
