"""Ending without losing a request: what is under way, what is refused meanwhile, what is cut off at last."""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dirdet.access.open_paths import HEALTH, route_path
from dirdet.errors import StoppingError
from dirdet.problems import headers_of, problem_of, problem_response


@dataclass(eq=False, slots=True)
class _UnderWay:
    """A request that was accepted.

    Attributes:
        scope: cancels it.
        received: its body is here.
        answering: its response has begun.
    """

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    received: bool = False
    answering: bool = False


class Drain:
    """What an app has under way, and whether it still takes more; for one event loop."""

    def __init__(self) -> None:
        """Takes everything."""
        self._stopping = False
        self._under_way: set[_UnderWay] = set()
        self._changed = anyio.Event()

    @property
    def stopping(self) -> bool:
        """Whether new requests are refused."""
        return self._stopping

    @property
    def under_way(self) -> int:
        """Requests that were accepted and are not answered yet."""
        return len(self._under_way)

    def stop(self) -> None:
        """From now on new requests are refused, and every response ends its connection."""
        self._stopping = True

    async def emptied(self) -> None:
        """Returns when nothing is under way."""
        while self._under_way:
            self._changed = anyio.Event()
            await self._changed.wait()

    def refuse_uploads(self) -> None:
        """Refuses the requests whose body is still not here."""
        self._cut(lambda request: not request.received)

    def refuse_all(self) -> None:
        """Refuses everything that is under way; a response that has begun is cut off."""
        self._cut(lambda _: True)

    def begin(self) -> _UnderWay:
        """A request was accepted."""
        request = _UnderWay()
        self._under_way.add(request)
        return request

    def end(self, request: _UnderWay) -> None:
        """It was answered, or its caller is gone."""
        self._under_way.discard(request)
        self._changed.set()

    def _cut(self, which: Callable[[_UnderWay], bool]) -> None:
        for request in self._under_way:
            if which(request):
                request.scope.cancel()


class Drained:
    """ASGI middleware that keeps a `Drain` informed and does what it says; outside of all that answers."""

    def __init__(self, app: ASGIApp, *, drain: Drain) -> None:
        """Wraps the app."""
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the app does, or with 503 while the drain has stopped."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._drain.stopping and route_path(scope) not in HEALTH:
            await _refuse(scope, receive, send)
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
                await _refuse(scope, receive, send)
        finally:
            self._drain.end(request)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    error = StoppingError("the server is stopping; another may take the request")
    response = problem_response(problem_of(error), headers=headers_of(error) | {"connection": "close"})
    await response(scope, receive, send)
