"""What a reader says of a file that pydantic refuses: where, why, and what was found, in one line."""

from pydantic import ValidationError

MAX_SHOWN = 80


def first_fault(exc: ValidationError) -> str:
    """The first of the errors."""
    first = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    found = repr(first["input"])
    shown = found if len(found) <= MAX_SHOWN else f"{found[:MAX_SHOWN]}..."
    return f"{where + ': ' if where else ''}{first['msg']}, found {shown}"
