"""A check that Schemathesis makes of every answer besides its own."""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

TIMEOUT = "X-Request-Timeout-Ms"
IN_TIME = (503, 504)


@schemathesis.check
def documented_failure(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """The server fails for one reason only: the request left it no time."""
    if response.status_code < 500:
        return
    wanted_soon = TIMEOUT in (case.headers or {})  # pyright: ignore[reportUnknownMemberType]
    if not (wanted_soon and response.status_code in IN_TIME):
        raise AssertionError(f"{response.status_code}, {TIMEOUT} sent: {wanted_soon}; {response.text[:500]}")
