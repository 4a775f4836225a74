"""Requests to a gateway, the same for both clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from dirdet.client.errors import ClientError, NoAnswerError, TimedOutError
from dirdet.client.pictures import SentPicture
from dirdet.client.retries import Deadline
from dirdet.client.settings import CONNECT_S, TIMEOUT_HEADER, DetectParameters, Settings, query_of

FIELD = "image"


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent, and as often as it must be: bodies are held, not streams."""

    method: str
    path: str
    query: httpx.QueryParams | None = None
    pictures: Sequence[SentPicture] = field(default=(), repr=False)

    def options(self, settings: Settings, deadline: Deadline) -> dict[str, Any]:
        """Arguments of httpx's `build_request`."""
        files = [(FIELD, (each.file_name, each.data, "application/octet-stream")) for each in self.pictures]
        return {
            "method": self.method,
            "url": settings.url(self.path),
            "params": self.query,
            "files": files or None,
            "headers": {TIMEOUT_HEADER: str(deadline.left_ms)},
        }


def detect_call(settings: Settings, pictures: Sequence[SentPicture], parameters: DetectParameters) -> Call:
    """POST /detect, or that of the detector that is named.

    Raises:
        ParameterError: of `query_of`.
    """
    return Call("POST", settings.detect_path, query_of(parameters), pictures)


def transport_failure(exc: Exception, settings: Settings, deadline: Deadline) -> ClientError:
    """What a connection that failed means to the caller."""
    if deadline.left_s <= 0 or isinstance(exc, (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout)):
        return TimedOutError(f"{settings.base_url} did not answer within {deadline.timeout_s:g} s")
    reason = str(exc) or type(exc).__name__
    if isinstance(exc, httpx.ConnectTimeout):
        reason = f"no connection within {CONNECT_S:g} s"
    return NoAnswerError(f"no answer from {settings.base_url}: {reason}")


class PhaseTimeouts(dict[str, float]):
    """httpx's timeouts of connecting, writing and reading, each what is left of the whole when it begins."""

    def __init__(self, deadline: Deadline) -> None:
        """Looks at the clock when asked, not now."""
        super().__init__()
        self._deadline = deadline

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401, ARG002 - as dict has it
        """Seconds, a little above 0 at least: 0 would mean not to wait at all."""
        left_s = max(self._deadline.left_s, 1e-3)
        return min(left_s, CONNECT_S) if key == "connect" else left_s

    def __getitem__(self, key: str) -> float:
        """As `get`."""
        return self.get(key)


def extensions(deadline: Deadline) -> Mapping[str, Any]:
    """Of a request whose whole way is bounded by one deadline."""
    return {"timeout": PhaseTimeouts(deadline)}
