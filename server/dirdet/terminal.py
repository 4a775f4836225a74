"""What a command writes for people: names of files, answers of servers, nothing of which steers a terminal."""

import io
import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, cast

from dirdet.untrusted_text import visible


class VisibleText(io.TextIOWrapper):
    """A text stream that spells controls out."""

    def write(self, text: str, /) -> int:
        """See `io.TextIOWrapper.write`."""
        super().write(visible(text))
        return len(text)


@contextmanager
def visible_output() -> Generator[None]:
    """Lets standard output and standard error be `VisibleText`; bytes written to their `buffer` stay as they are."""
    os.environ.setdefault("NO_COLOR", "1")  # colours of libraries would be spelled out
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream: Any = getattr(sys, name)
            if isinstance(stream, io.TextIOWrapper):
                stack.enter_context(_replaced(name, cast("io.TextIOWrapper", stream)))
        yield


@contextmanager
def _replaced(name: str, stream: io.TextIOWrapper) -> Generator[None]:
    stream.flush()
    text = VisibleText(
        stream.buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, text)
    try:
        yield
    finally:
        if getattr(sys, name) is text:  # otherwise click has taken it, because its reader has gone
            setattr(sys, name, stream)
            with suppress(OSError):
                text.detach()  # flushed; the buffer is the other's
