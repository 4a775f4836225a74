"""A gateway as what a job computes with: its detector is asked for, not here."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dirdet.batch.engines.base import Sink, Work
from dirdet.batch.engines.gateway import TIMEOUT_S, GatewayStage
from dirdet.batch.job import DetectorTold
from dirdet.batch.pipeline import Pipeline
from dirdet.bundle import Thresholds
from dirdet.calibration import Calibration
from dirdet.client import AsyncClient, Client
from dirdet.options import Settings
from dirdet.schemas import DetectorClass, DetectorInfo

# Of what a gateway tells of its detector, what the numbers do not depend on.
BESIDES = {"engine", "accepts", "model_card", "limitations", "quality"}


@dataclass(frozen=True, slots=True)
class GatewayDescribed:
    """See `dirdet.options.Described`."""

    name: str
    localization_confidence: str | None
    defaults: Thresholds
    max_detections: int
    categories: Sequence[DetectorClass]
    calibration: Calibration | None


class GatewayJobEngine:
    """Sends pictures to a gateway; see `dirdet.batch.engines.base.JobEngine`."""

    def __init__(self, url: str, *, api_key: str | None, in_flight: int, patience_s: float) -> None:
        """Asks the gateway for its detector; one that does not answer now is not waited for.

        Args:
            url: of the gateway.
            api_key: shown to it; unless given, what DIRDET_API_KEY holds.
            in_flight: requests at once.
            patience_s: how long a request is tried again.

        Raises:
            ClientError: there is no answer, or none of a gateway.
            ParameterError: an address or key that is none.
        """
        self._url, self._key = url, api_key
        self._in_flight, self._patience_s = in_flight, patience_s
        with Client(url, api_key=api_key) as client:
            info = client.detector()
        self.described = GatewayDescribed(
            info.name, info.localization_confidence, info.defaults, info.max_detections, info.classes, info.calibration
        )
        self.detector = gateway_detector_told(info)
        self._engine = info.engine

    def begin(self) -> str:
        """What the gateway says that it computes with."""
        return f"gateway, {self._engine}"

    def work(self, settings: Settings, *, workers: int, sink: Sink) -> Work:
        """See `JobEngine.work`."""
        stage = GatewayStage(
            self._client, self.detector, settings, in_flight=self._in_flight, patience_s=self._patience_s
        )
        return Pipeline(stage, workers=workers, sink=sink)

    def close(self) -> None:
        """Nothing to do."""

    def _client(self) -> AsyncClient:
        return AsyncClient(self._url, api_key=self._key, timeout_s=TIMEOUT_S)


def gateway_detector_told(info: DetectorInfo) -> DetectorTold:
    """What a job says of a gateway's detector."""
    told = info.model_dump_json(exclude=BESIDES)
    return DetectorTold(
        name=info.name,
        architecture=info.architecture,
        localization_confidence=info.localization_confidence,
        checkpoint_sha256=info.provenance.checkpoint_sha256,
        bundle_sha256=None,
        told_sha256=hashlib.sha256(told.encode()).hexdigest(),
    )
