"""Keeps keys out of the log, wherever a client put them."""

import logging

from dirdet.access.keys import KEY_IN_TEXT, redacted


class NoKeys(logging.Filter):
    """Makes every key in a record unreadable: one in a query stands in uvicorn's access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record pass."""
        message = record.getMessage()
        if KEY_IN_TEXT.search(message):
            record.msg, record.args = redacted(message), None
        return True


def keep_keys_out() -> None:
    """Filters what the root logger's handlers write; uvicorn's loggers end there too."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(NoKeys())
