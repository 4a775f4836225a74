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
    """A request whose body is held in memory, not streamed, so that it can be sent again."""

    method: str
    path: str
    query: httpx.QueryParams | None = None
    pictures: Sequence[SentPicture] = field(default=(), repr=False)

    def options(self, settings: Settings, deadline: Deadline) -> dict[str, Any]:
        """Returns the arguments of httpx's `build_request`."""
        files = [(FIELD, (each.file_name, each.data, "application/octet-stream")) for each in self.pictures]
        return {
            "method": self.method,
            "url": settings.url(self.path),
            "params": self.query,
            "files": files or None,
            "headers": {TIMEOUT_HEADER: str(deadline.left_ms)},
        }


def detect_call(settings: Settings, pictures: Sequence[SentPicture], parameters: DetectParameters) -> Call:
    """Builds the POST request for the default detector, or for the named one.

    Raises:
        ParameterError: `query_of` refuses a parameter.
    """
    return Call("POST", settings.detect_path, query_of(parameters), pictures)


def transport_failure(exc: Exception, settings: Settings, deadline: Deadline) -> ClientError:
    """Converts httpx's error to the client's error."""
    if deadline.left_s <= 0 or isinstance(exc, (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout)):
        return TimedOutError(f"{settings.base_url} did not answer within {deadline.timeout_s:g} s")
    reason = str(exc) or type(exc).__name__
    if isinstance(exc, httpx.RemoteProtocolError | httpx.ReadError) and settings.base_url.startswith("http://"):
        reason += "; if the server speaks HTTPS, the address begins with https://"
    if isinstance(exc, httpx.ConnectTimeout):
        reason = f"no connection within {CONNECT_S:g} s"
    return NoAnswerError(f"no answer from {settings.base_url}: {reason}")


class PhaseTimeouts(dict[str, float]):
    """httpx's timeouts of connecting, writing and reading: each is the time left when its phase begins."""

    def __init__(self, deadline: Deadline) -> None:
        """Keeps the deadline; the clock is read in `get`."""
        super().__init__()
        self._deadline = deadline

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401, ARG002 - as dict has it
        """Returns seconds, always above 0, since httpx takes 0 as no waiting at all."""
        left_s = max(self._deadline.left_s, 1e-3)
        return min(left_s, CONNECT_S) if key == "connect" else left_s

    def __getitem__(self, key: str) -> float:
        return self.get(key)


def extensions(deadline: Deadline) -> Mapping[str, Any]:
    """Returns httpx's extensions that hold the whole request to one deadline."""
    return {"timeout": PhaseTimeouts(deadline)}
