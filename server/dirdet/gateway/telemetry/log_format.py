"""The format of the log: text for people, or one JSON object per line for machines."""

import logging
import sys
from typing import Literal

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from dirdet.gateway.telemetry.request_log import current
from dirdet.untrusted_text import one_line

LogFormat = Literal["text", "json"]


def configure_logging(form: LogFormat, *, several: bool = False, level: int = logging.INFO) -> None:
    """Sends the log of this process, and of those that it forks, to standard error.

    Args:
        form: of a line.
        several: several processes write to it, so each line of text names its process.
        level: lower levels are left out.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_name_request)
    if form == "json":
        formatter: logging.Formatter = JsonFormatter(
            "%(levelname)s%(name)s%(message)s%(process)d",
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's copy of the message for terminals
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp=True,
            exc_info_as_array=True,
        )
    else:
        who = "[%(process)d] " if several else ""
        formatter = _Text(f"%(asctime)s {who}%(levelname)s %(message)s")
    handler.setFormatter(formatter)
    # These log their own steps, and warn about clients' pictures, which the answer reports.
    for name in ("uvicorn.error", "python_multipart", "opentelemetry.baggage", "opentelemetry.trace"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.basicConfig(level=level, handlers=[handler])


class _Text(logging.Formatter):
    """A line, with the id of its request."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """The line without the traceback that may follow it; no name in it begins another."""
        name = getattr(record, "request_id", None)
        return one_line(super().formatMessage(record)) + (f" [{name}]" if name else "")


def _name_request(record: logging.LogRecord) -> bool:
    """Adds the request's id to every line written for a request."""
    name = current.get()
    if name is not None:
        record.request_id = name
    return True
