"""Several things awaited at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

import anyio

T = TypeVar("T")


async def together(works: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Their results, in order; the first error ends the others and is raised as itself, in no group.

    Raises:
        Exception: what the first that failed raised.
    """
    if len(works) == 1:
        return [await works[0]()]
    results: list[T | None] = [None] * len(works)
    errors: list[Exception] = []

    async def one(index: int) -> None:
        try:
            results[index] = await works[index]()
        except Exception as exc:
            errors.append(exc)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for index in range(len(works)):
            tasks.start_soon(one, index)
    if errors:
        raise errors[0]
    return cast(list[T], results)
