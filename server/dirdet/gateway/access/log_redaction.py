"""Masks keys in the log, wherever a client put them."""

import logging

from dirdet.gateway.access.api_keys import KEY_IN_TEXT, redacted


class NoKeys(logging.Filter):
    """A log filter that masks every key, such as one in a query string."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record pass."""
        message = record.getMessage()
        if KEY_IN_TEXT.search(message):
            record.msg, record.args = redacted(message), None
        return True


def keep_keys_out() -> None:
    """Adds the filter to the root logger's handlers, which uvicorn's loggers use too."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(NoKeys())
