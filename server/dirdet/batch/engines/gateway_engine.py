"""Engine of a job that sends pictures to a gateway and uses the gateway's detector."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dirdet.api.schemas import DetectorClass, DetectorInfo
from dirdet.batch.engines.base import ResultHandlers, Work
from dirdet.batch.engines.gateway_requests import TIMEOUT_S, GatewayStage
from dirdet.batch.job_record import DetectorRecord
from dirdet.batch.pipeline import Pipeline
from dirdet.bundle.bundle import Thresholds
from dirdet.client import AsyncClient, Client
from dirdet.detection.calibration import Calibration
from dirdet.detector.options import Settings

# Fields of a gateway's detector description on which the numbers do not depend.
BESIDES = {"engine", "accepts", "model_card", "limitations", "quality"}


@dataclass(frozen=True, slots=True)
class GatewayDescribed:
    name: str
    localization_confidence: str | None
    defaults: Thresholds
    max_detections: int
    categories: Sequence[DetectorClass]
    calibration: Calibration | None


class GatewayJobEngine:
    def __init__(self, url: str, *, api_key: str | None, in_flight: int, patience_s: float) -> None:
        """Requests the detector's description from the gateway; does not retry if it does not answer.

        Args:
            url: of the gateway.
            api_key: sent to the gateway; None takes the environment variable DIRDET_API_KEY.
            in_flight: most requests at once.
            patience_s: how long a request is retried.

        Raises:
            ClientError: there is no answer, or it is not a gateway's.
            ParameterError: the address or the key is invalid.
        """
        self._url, self._key = url, api_key
        self._in_flight, self._patience_s = in_flight, patience_s
        with Client(url, api_key=api_key) as client:
            info = client.detector()
        self.described = GatewayDescribed(
            info.name, info.localization_confidence, info.defaults, info.max_detections, info.classes, info.calibration
        )
        self.detector = gateway_detector_record(info)
        self._engine = info.engine

    def begin(self) -> str:
        """The engine that the gateway reports."""
        return f"gateway, {self._engine}"

    def work(self, settings: Settings, *, workers: int, handlers: ResultHandlers) -> Work:
        stage = GatewayStage(
            self._client, self.detector, settings, in_flight=self._in_flight, patience_s=self._patience_s
        )
        return Pipeline(stage, workers=workers, handlers=handlers)

    def close(self) -> None:
        """Does nothing."""

    def _client(self) -> AsyncClient:
        return AsyncClient(self._url, api_key=self._key, timeout_s=TIMEOUT_S)


def gateway_detector_record(info: DetectorInfo) -> DetectorRecord:
    """The job's record of a gateway's detector."""
    description = info.model_dump_json(exclude=BESIDES)
    return DetectorRecord(
        name=info.name,
        architecture=info.architecture,
        localization_confidence=info.localization_confidence,
        checkpoint_sha256=info.provenance.checkpoint_sha256,
        bundle_sha256=None,
        told_sha256=hashlib.sha256(description.encode()).hexdigest(),
    )
