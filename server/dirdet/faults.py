"""What a reader says of a file that pydantic refuses: where, why, and what was found, in one line."""

import json

from pydantic import ValidationError

MAX_SHOWN = 80


def first_fault(exc: ValidationError) -> str:
    """The first of the errors."""
    first = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where + ': ' if where else ''}{first['msg']}, found {shown(first['input'])}"


def shown(value: object) -> str:
    """What was found, as it stands in a file or a request, not as Python writes it; cut where it is long."""
    if isinstance(value, str):
        text = repr(value)
    elif isinstance(value, bytes):
        text = repr(value)[1:]  # 'GIF89a'
    else:
        text = json.dumps(value, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
