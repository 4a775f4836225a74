"""How the log looks: text for people, one JSON object a line for machines."""

import logging
import sys
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

from dirdet.telemetry.request_id import current

LogFormat = Literal["text", "json"]


def configure_logging(form: LogFormat, *, level: int = logging.INFO) -> None:
    """Sends the log of this process to standard error.

    Args:
        form: of a line.
        level: what is less important is left out.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_name_request)
    if form == "json":
        formatter: logging.Formatter = JsonFormatter(
            "%(levelname)s%(name)s%(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp=True,
            exc_info_as_array=True,
        )
    else:
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)


def default_format() -> LogFormat:
    """Text where a person reads it as it comes, else JSON."""
    return "text" if sys.stderr.isatty() else "json"


def _name_request(record: logging.LogRecord) -> bool:
    """Gives every line that is written for a request the request's name."""
    name = current.get()
    if name is not None:
        record.request_id = name
    return True
