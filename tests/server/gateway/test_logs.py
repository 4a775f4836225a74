"""What a line of the log looks like, and what never comes into it."""

import json
import logging
from collections.abc import Iterator

import pytest

from dirdet.gateway.telemetry.log_format import LogFormat, configure_logging

# Each warns of what a caller sent, and repeats it.
TALKATIVE = (
    "uvicorn.error",
    "python_multipart.multipart",
    "opentelemetry.baggage.propagation",
    "opentelemetry.trace.propagation.tracecontext",
)


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    """Leaves the levels as they were."""
    names = ("uvicorn.error", "python_multipart", "opentelemetry.baggage", "opentelemetry.trace")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    yield
    for logger, level in before:
        logger.setLevel(level)


def configure(monkeypatch: pytest.MonkeyPatch, form: LogFormat) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    configure_logging(form)


def test_a_line_of_json_says_nothing_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    configure(monkeypatch, "json")
    logging.getLogger("uvicorn.error").error("a %s", "b", extra={"color_message": "a \x1b[1mb\x1b[0m"})
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["level"], line["logger"]) == ("a b", "ERROR", "uvicorn.error")
    assert "color_message" not in line


@pytest.mark.parametrize("name", TALKATIVE)
def test_what_callers_send_is_not_repeated(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, "text")
    logging.getLogger(name).warning("what a caller sent")
    logging.getLogger("dirdet").warning("what a server says")
    said = capsys.readouterr().err
    assert "what a caller sent" not in said
    assert "what a server says" in said
