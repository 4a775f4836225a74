"""Engines of a job that compute with a bundle: in this process, or on Triton."""

from dirdet.batch.engines.base import ResultHandlers, Work
from dirdet.batch.engines.canvases import CanvasStage, RemoteCanvasStage
from dirdet.batch.engines.tiles import TiledStage
from dirdet.batch.job_record import detector_record
from dirdet.batch.pipeline import Pipeline
from dirdet.bundle.bundle import MANIFEST, Bundle, sha256_of
from dirdet.detector.detector import Detector
from dirdet.detector.options import Settings
from dirdet.engines.base import RemoteEngine
from dirdet.engines.cores import inferences_beside, usable_cores
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import MAX_BATCH
from dirdet.engines.triton.target import TritonTarget
from dirdet.errors import EngineError


def job_detector(bundle: Bundle) -> Detector:
    """A detector whose engine divides the cores among the parts of a batch (`CanvasStage`)."""
    return Detector(
        bundle.manifest, make_engine(bundle, at_once=inferences_beside(usable_cores(), max_batch=MAX_BATCH))
    )


class EmbeddedJobEngine:
    """Computes in this process."""

    def __init__(self, bundle: Bundle) -> None:
        self.described = bundle.manifest
        self.detector = detector_record(bundle, sha256_of(bundle.folder / MANIFEST))
        self._bundle = bundle
        self._loaded: Detector | None = None

    def begin(self) -> str:
        return self._load().engine.description

    def work(self, settings: Settings, *, workers: int, handlers: ResultHandlers) -> Work:
        stage = CanvasStage(self._load(), settings)
        return _pipeline(stage, self._load(), settings, workers=workers, handlers=handlers)

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded.engine.close()

    def _load(self) -> Detector:
        if self._loaded is None:
            self._loaded = job_detector(self._bundle)
        return self._loaded


class TritonJobEngine:
    """Computes on Triton."""

    def __init__(self, bundle: Bundle, target: TritonTarget, *, in_flight: int, patience_s: float) -> None:
        """Does not connect yet.

        Args:
            bundle: Triton must serve its models.
            target: the Triton server.
            in_flight: most batches sent to Triton at once.
            patience_s: how long a batch is retried.
        """
        self.described = bundle.manifest
        self.detector = detector_record(bundle, sha256_of(bundle.folder / MANIFEST))
        self._bundle, self._target = bundle, target
        self._in_flight, self._patience_s = in_flight, patience_s
        self._engine: RemoteEngine | None = None

    def begin(self) -> str:
        """Connects; does not retry if Triton does not answer at the start.

        Raises:
            EngineError: Triton does not answer, or has another network.
        """
        engine = self._connect()
        detector = Detector(self._bundle.manifest, engine)
        try:
            detector.warm_up()
        except EngineError as exc:
            raise type(exc)(f"{exc} (--triton {self._target.address})") from exc
        return engine.description

    def work(self, settings: Settings, *, workers: int, handlers: ResultHandlers) -> Work:
        engine = self._connect()
        detector = Detector(self._bundle.manifest, engine)
        stage = RemoteCanvasStage(detector, engine, settings, in_flight=self._in_flight, patience_s=self._patience_s)
        return _pipeline(stage, detector, settings, workers=workers, handlers=handlers)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def _connect(self) -> RemoteEngine:
        if self._engine is None:
            engine = make_engine(self._bundle, triton=self._target)
            assert isinstance(engine, RemoteEngine)
            self._engine = engine
        return self._engine


def _pipeline(
    stage: CanvasStage, detector: Detector, settings: Settings, *, workers: int, handlers: ResultHandlers
) -> Work:
    if settings.tiling is None:
        return Pipeline(stage, workers=workers, handlers=handlers)
    tiled = TiledStage(stage, detector, settings, settings.tiling)
    return Pipeline(tiled, workers=workers, handlers=handlers)
