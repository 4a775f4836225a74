"""A name for every request: the client's own, or a new one."""

import re
from contextvars import ContextVar
from uuid import uuid4

HEADER = "X-Request-ID"
# What others send as such names, and nothing that could break a log line or a header.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")

current: ContextVar[str | None] = ContextVar("dirdet_request_id", default=None)


def request_id(sent: str | None) -> str:
    """The name that the client sent if it can be used, else a new one.

    Args:
        sent: of the header X-Request-ID.
    """
    return sent if sent is not None and _ACCEPTABLE.fullmatch(sent) else uuid4().hex
