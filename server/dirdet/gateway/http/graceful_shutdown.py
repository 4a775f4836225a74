"""Graceful shutdown: the requests under way, which are finished, refused or cancelled."""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio


@dataclass(eq=False, slots=True)
class _UnderWay:
    """A request that was accepted.

    Attributes:
        scope: cancels the request.
        received: its body has arrived.
        answering: its response has begun.
    """

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    received: bool = False
    answering: bool = False


class Drain:
    """The requests that an app has under way, and whether it accepts more; for one event loop."""

    def __init__(self) -> None:
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
        """Refuses new requests from now on; every response closes its connection."""
        self._stopping = True

    async def emptied(self) -> None:
        """Waits until no request is under way."""
        while self._under_way:
            self._changed = anyio.Event()
            await self._changed.wait()

    def refuse_uploads(self) -> None:
        """Refuses the requests whose body has not arrived."""
        self._cut(lambda request: not request.received)

    def refuse_all(self) -> None:
        """Refuses all requests under way; a response that has begun is cut off."""
        self._cut(lambda _: True)

    def begin(self) -> _UnderWay:
        """A request was accepted."""
        request = _UnderWay()
        self._under_way.add(request)
        return request

    def end(self, request: _UnderWay) -> None:
        """The request was answered, or its client is gone."""
        self._under_way.discard(request)
        self._changed.set()

    def _cut(self, which: Callable[[_UnderWay], bool]) -> None:
        for request in self._under_way:
            if which(request):
                request.scope.cancel()
