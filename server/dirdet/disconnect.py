"""Stops work that nobody waits for any more."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from starlette.requests import ClientDisconnect, Request


@asynccontextmanager
async def cancelled_when_gone(request: Request) -> AsyncGenerator[None]:
    """Cancels the block when the client closes the connection.

    Args:
        request: whose body has been read.

    Raises:
        ClientDisconnect: it did.
        Exception: what the block raises.
    """
    gone = False
    error: Exception | None = None

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass  # an empty last chunk, if the body's reader did not wait for it
        gone = True
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        try:
            yield
        except Exception as exc:  # carried past the task group, which would wrap it
            error = exc
        tasks.cancel_scope.cancel()
    if gone:
        raise ClientDisconnect
    if error is not None:
        raise error
