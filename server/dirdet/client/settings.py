"""What a client is told once: where the gateway is, who asks, how long to wait."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TypedDict, cast

import httpx

from dirdet.client.retries import Retries
from dirdet.errors import ParameterError

DEFAULT_URL = "http://127.0.0.1:8000"
TIMEOUT_S = 60.0
# A server that exists accepts within this time; one that does not is tried again.
CONNECT_S = 5.0
KEY_VARIABLE = "DIRDET_API_KEY"
# Of the caller's time, what is left when the request is sent.
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
# What the gateway takes in one request (`dirdet.limits.ServerLimits`), the bytes less room for the form's own.
MOST_PICTURES = 64
MOST_BYTES = 127 * 2**20
# Of a detector, as the gateway takes it (`dirdet.bundle.Manifest.name`).
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
# As many canvases as the gateway puts into one inference.
PER_REQUEST = 8


class DetectParameters(TypedDict, total=False):
    """What may be asked of the detector; what is absent or None, it decides (`dirdet.options.DetectOptions`)."""

    score_threshold: float | None
    nms_iou_threshold: float | None
    min_iou: float | None
    iou_weight: float | None
    max_detections: int | None
    classes: Sequence[str | int] | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked settings of a client.

    Attributes:
        base_url: of the gateway, without a slash at its end.
        timeout_s: of one call, retries included.
        retries: when a request is sent again.
        detector: which of the gateway's answers; None is the default one.
        api_key: shown to the gateway only.
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
        """Settings from a client's arguments and the environment.

        Raises:
            ParameterError: an address, a detector's name or a time that is none, a key that no header can carry.
        """
        if not base_url.startswith(("http://", "https://")):
            raise ParameterError("base_url", f"expected http://HOST:PORT or https://HOST, found {base_url!r}")
        if detector is not None and not NAME.fullmatch(detector):
            raise ParameterError("detector", f"expected a name of a-z, 0-9, - and _, found {detector!r}")
        key = os.environ.get(KEY_VARIABLE) if api_key is None else api_key
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            where = KEY_VARIABLE if api_key is None else "api_key"
            raise ParameterError(where, "expected printable ASCII without spaces; the key has something else")
        return cls(
            base_url=base_url.rstrip("/"),
            timeout_s=checked_timeout(timeout_s),
            retries=Retries(most=retries) if isinstance(retries, int) else retries,
            detector=detector,
            api_key=key or None,
        )

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        known = {"User-Agent": f"dirdet/{version('dirdet')}", "Accept": "application/json, application/problem+json"}
        return known | ({"Authorization": f"Bearer {self.api_key}"} if self.api_key else {})

    @property
    def detector_path(self) -> str:
        """Of what the detector tells about itself."""
        return "/detector" if self.detector is None else f"/detectors/{self.detector}"

    @property
    def detect_path(self) -> str:
        """Of detecting."""
        return "/detect" if self.detector is None else f"{self.detector_path}/detect"

    def url(self, path: str) -> str:
        """Address of one of the gateway's paths."""
        return self.base_url + path


def checked_timeout(timeout_s: float) -> float:
    """The time.

    Raises:
        ParameterError: not above 0.
    """
    if not timeout_s > 0:
        raise ParameterError("timeout_s", f"expected seconds above 0, found {timeout_s!r}")
    return timeout_s


def query_of(parameters: DetectParameters) -> httpx.QueryParams:
    """The parameters as a query; the gateway checks them.

    Raises:
        ParameterError: no class at all is wanted, which a query cannot say.
    """
    query: dict[str, str | list[str]] = {}
    for name, value in parameters.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            query[name] = [str(each) for each in cast("Sequence[str | int]", value)]
            if not query[name]:
                raise ParameterError(name, "names none; leave it out for all")
        elif value is not None:
            query[name] = str(value)
    return httpx.QueryParams(query)


def checked_per_request(per_request: int) -> int:
    """How many pictures a request takes.

    Raises:
        ParameterError: none, or more than a gateway takes.
    """
    if not 1 <= per_request <= MOST_PICTURES:
        raise ParameterError("per_request", f"expected 1 to {MOST_PICTURES}, found {per_request}")
    return per_request
