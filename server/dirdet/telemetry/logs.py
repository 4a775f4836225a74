"""How the log looks: text for people, one JSON object a line for machines."""

import logging
import sys
from typing import Literal

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from dirdet.telemetry.request_id import current

LogFormat = Literal["text", "json"]


def configure_logging(form: LogFormat, *, several: bool = False, level: int = logging.INFO) -> None:
    """Sends the log of this process, and of those that it forks, to standard error.

    Args:
        form: of a line.
        several: processes write it, so that each line of text says which.
        level: what is less important is left out.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_name_request)
    if form == "json":
        formatter: logging.Formatter = JsonFormatter(
            "%(levelname)s%(name)s%(message)s%(process)d",
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's, the message once more for terminals
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp=True,
            exc_info_as_array=True,
        )
    else:
        who = "[%(process)d] " if several else ""
        formatter = _Text(f"%(asctime)s {who}%(levelname)s %(message)s")
    handler.setFormatter(formatter)
    # uvicorn tells of its own steps, of which who serves detectors knows nothing.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # These warn of what callers send, and repeat it: an answer tells the caller.
    for name in ("python_multipart", "opentelemetry.baggage", "opentelemetry.trace"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.basicConfig(level=level, handlers=[handler])


class _Text(logging.Formatter):
    """A line, and the name of the request that it is written for."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """The line without what follows it of an exception."""
        name = getattr(record, "request_id", None)
        return super().formatMessage(record) + (f" [{name}]" if name else "")


def _name_request(record: logging.LogRecord) -> bool:
    """Gives every line that is written for a request the request's name."""
    name = current.get()
    if name is not None:
        record.request_id = name
    return True
