"""The names of uvicorn and h11 that the server uses: a version without one of them is found here, not in production."""

import inspect
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from dirdet.gateway.access.settings import Access
from dirdet.gateway.wire.connections import TimedConnection

SETTINGS = {
    *("log_config", "access_log", "http", "ws", "h11_max_incomplete_event_size", "limit_concurrency", "backlog"),
    *("timeout_graceful_shutdown", "timeout_keep_alive", *Access().uvicorn_settings()),
}


def names_set_by(initializer: Any) -> set[str]:
    """Attributes that an `__init__` sets, by its source."""
    return {name for name in initializer.__code__.co_names if f"self.{name}" in inspect.getsource(initializer)}


def test_the_settings_exist() -> None:
    assert inspect.signature(uvicorn.Config).parameters.keys() >= SETTINGS


def test_the_server_has_what_is_used_of_it() -> None:
    assert callable(uvicorn.Server.serve)
    assert callable(uvicorn.Server.capture_signals)
    assert "should_exit" in names_set_by(uvicorn.Server.__init__)
    assert "self.servers" in inspect.getsource(uvicorn.Server.startup)


def test_the_protocol_has_what_is_used_of_it() -> None:
    overridden = {name for name in vars(TimedConnection) if callable(getattr(TimedConnection, name))}
    public = {name for name in overridden if not name.startswith("_")}
    assert public == {"connection_made", "data_received", "connection_lost", "send_400_response"}
    assert public <= vars(H11Protocol).keys()
    assert {"conn", "cycle", "loop", "transport"} <= names_set_by(H11Protocol.__init__)
    assert {"response_complete", "disconnected", "message_event"} <= names_set_by(RequestResponseCycle.__init__)
    assert isinstance(cast(Any, h11.Connection).our_state, property)


def test_no_private_name_of_uvicorn_is_replaced() -> None:
    own = {name for name in vars(TimedConnection) if name.startswith("_") and not name.startswith("__")}
    assert own.isdisjoint(dir(H11Protocol))
    assert "_head_timer" not in names_set_by(H11Protocol.__init__)
