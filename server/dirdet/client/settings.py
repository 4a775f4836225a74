"""A client's settings: the gateway's address, the key, timeouts, and the parameters of a request."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from numbers import Integral, Real
from typing import Literal, TypedDict, cast

import httpx

from dirdet.client.pictures import require_text
from dirdet.client.retries import Retries
from dirdet.errors import ParameterError

DEFAULT_URL = "http://127.0.0.1:8000"
TIMEOUT_S = 60.0
# A server that is running accepts a connection within this time; without a connection the request is retried.
CONNECT_S = 5.0
# A year; more does not fit into the header.
MOST_TIMEOUT_S = 366 * 24 * 3600
KEY_VARIABLE = "DIRDET_API_KEY"
# Header with the part of the caller's timeout that is left when the request is sent.
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
# The limits of the gateway for one request (`gateway/scheduling/server_limits.py`); the bytes leave room for the
# multipart form.
MOST_PICTURES = 64
MOST_BYTES = 127 * 2**20
# Pattern of a detector's name in the gateway (`dirdet.bundle.bundle.Manifest.name`).
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
# As many canvases as the gateway computes in one inference.
PER_REQUEST = 8


class DetectParameters(TypedDict, total=False):
    """Parameters of a detection (`dirdet.detector.options.DetectOptions`); None or absent: the detector's default."""

    score_threshold: float | None
    nms_iou_threshold: float | None
    nms: Literal["per-class", "class-agnostic"] | None
    min_iou: float | None
    iou_weight: float | None
    max_detections: int | None
    classes: Sequence[str | int] | None
    tiles: str | None
    join: str | None
    decode: Literal["scaled", "exact"] | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked settings of a client.

    Attributes:
        base_url: of the gateway, without a slash at its end.
        timeout_s: of one call, retries included.
        retries: when a request is sent again.
        detector: name of the detector; None is the gateway's default.
        api_key: sent to the gateway only.
    """

    base_url: str
    timeout_s: float
    retries: Retries
    detector: str | None
    api_key: str | None = field(repr=False)

    @classmethod
    def checked(
        cls, base_url: str, *, detector: str | None, api_key: str | None, timeout_s: float, retries: Retries | int
    ) -> "Settings":
        """Checks a client's arguments and reads the environment.

        Raises:
            ParameterError: an address, a detector's name or a timeout is invalid, or a header cannot carry the key.
        """
        for parameter, value in (("base_url", base_url), ("detector", detector), ("api_key", api_key)):
            require_text(parameter, value)
        if not (base_url or "").startswith(("http://", "https://")):
            raise ParameterError("base_url", f"expected http://HOST:PORT or https://HOST, found {base_url!r}")
        if detector is not None and not NAME.fullmatch(detector):
            raise ParameterError("detector", f"expected a name of a-z, 0-9, - and _, found {detector!r}")
        _checked_address(base_url)
        key = os.environ.get(KEY_VARIABLE) if api_key is None else api_key
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            where = KEY_VARIABLE if api_key is None else "api_key"
            raise ParameterError(where, "expected printable ASCII without spaces; the key has something else")
        return cls(
            base_url=base_url.rstrip("/"),
            timeout_s=checked_timeout(timeout_s),
            retries=_checked_retries(retries),
            detector=detector,
            api_key=key or None,
        )

    @property
    def headers(self) -> dict[str, str]:
        known = {"User-Agent": f"dirdet/{version('dirdet')}", "Accept": "application/json, application/problem+json"}
        return known | ({"Authorization": f"Bearer {self.api_key}"} if self.api_key else {})

    @property
    def detector_path(self) -> str:
        """Path of the detector's description."""
        return "/detector" if self.detector is None else f"/detectors/{self.detector}"

    @property
    def detect_path(self) -> str:
        return "/detect" if self.detector is None else f"{self.detector_path}/detect"

    def url(self, path: str) -> str:
        """Full address of a path of the gateway."""
        return self.base_url + path


def _checked_address(base_url: str) -> None:
    try:
        usable = bool(httpx.URL(base_url).host)
    except (httpx.InvalidURL, UnicodeError):
        usable = False
    if not usable:
        raise ParameterError("base_url", f"expected http://HOST:PORT or https://HOST, found {base_url!r}")


def _checked_retries(retries: Retries | int) -> Retries:
    if isinstance(retries, Retries):
        return retries
    if not isinstance(retries, Integral) or retries < 0:
        raise ParameterError("retries", f"expected a whole number from 0 or Retries, found {_described(retries)}")
    return Retries(most=int(retries))


def _described(value: object) -> str:
    """A number as it is; of anything else the type, since its text is code of the caller."""
    return repr(value) if isinstance(value, Real) else type(value).__name__


def checked_timeout(timeout_s: float) -> float:
    """Returns the timeout.

    Raises:
        ParameterError: it is not a number above 0.
    """
    if not isinstance(timeout_s, Real) or not 0 < timeout_s <= MOST_TIMEOUT_S:
        raise ParameterError("timeout_s", f"expected seconds above 0, found {_described(timeout_s)}")
    return float(timeout_s)


def query_of(parameters: DetectParameters) -> httpx.QueryParams:
    """Builds the query from the parameters; the gateway checks them.

    Raises:
        ParameterError: `classes` is empty, which a query cannot express.
    """
    query: dict[str, str | list[str]] = {}
    for name, value in parameters.items():
        if not isinstance(value, str | Real | Sequence | None):
            raise ParameterError(name, f"expected a number or names, found {type(value).__name__}")
        if isinstance(value, Sequence) and not isinstance(value, str):
            query[name] = [_word(name, each) for each in cast("Sequence[object]", value)]
            if not query[name]:
                raise ParameterError(name, "names none; leave it out for all")
        elif value is not None:
            query[name] = str(value)
    try:
        encoded = httpx.QueryParams(query)
        str(encoded)
    except UnicodeError as exc:
        raise ParameterError("parameters", f"expected text in Unicode, found {query!r}") from exc
    return encoded


def _word(parameter: str, value: object) -> str:
    if not isinstance(value, str | Real):
        raise ParameterError(parameter, f"expected names or numbers, found {type(value).__name__}")
    return str(value)


def checked_per_request(per_request: int) -> int:
    """Returns the number of pictures per request.

    Raises:
        ParameterError: it is below 1 or above the gateway's limit.
    """
    if not isinstance(per_request, Integral) or not 1 <= per_request <= MOST_PICTURES:
        raise ParameterError("per_request", f"expected 1 to {MOST_PICTURES}, found {_described(per_request)}")
    return per_request
