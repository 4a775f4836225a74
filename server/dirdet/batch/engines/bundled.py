"""A bundle as what a job computes with: in this process, or on Triton."""

from collections.abc import Iterable

from dirdet.batch.engines.base import Sink, Work
from dirdet.batch.engines.canvases import CanvasStage, RemoteCanvasStage
from dirdet.batch.entry import Entry
from dirdet.batch.job import detector_told
from dirdet.batch.pipeline import Pipeline
from dirdet.batch.scaled_trial import Trial, tried
from dirdet.bundle import MANIFEST, Bundle, sha256_of
from dirdet.cores import inferences_beside, usable_cores
from dirdet.detector import MAX_BATCH, Detector
from dirdet.engines.base import RemoteEngine
from dirdet.engines.factory import make_engine
from dirdet.engines.triton_target import TritonTarget
from dirdet.errors import EngineError
from dirdet.options import Settings


def job_detector(bundle: Bundle) -> Detector:
    """A detector whose engine divides the cores among the parts of a batch (`CanvasStage`)."""
    return Detector(
        bundle.manifest, make_engine(bundle, at_once=inferences_beside(usable_cores(), max_batch=MAX_BATCH))
    )


class EmbeddedJobEngine:
    """Computes in this process; see `dirdet.batch.engines.base.JobEngine`."""

    def __init__(self, bundle: Bundle) -> None:
        """Loads no network yet."""
        self.described = bundle.manifest
        self.detector = detector_told(bundle, sha256_of(bundle.folder / MANIFEST))
        self._bundle = bundle
        self._loaded: Detector | None = None
        self._scaled = False

    def try_scaled(self, entries: Iterable[Entry], settings: Settings) -> Trial:
        """Decodes JPEGs at less than their size from now on, if that is good enough for these pictures of the job."""
        trial = tried(self._load(), settings, entries)
        self._scaled = trial.good_enough
        return trial

    def begin(self) -> str:
        """See `JobEngine.begin`."""
        description = self._load().engine.description
        return f"{description}, scaled JPEG decoding" if self._scaled else description

    def work(self, settings: Settings, *, workers: int, sink: Sink) -> Work:
        """See `JobEngine.work`."""
        return Pipeline(CanvasStage(self._load(), settings, scaled=self._scaled), workers=workers, sink=sink)

    def close(self) -> None:
        """See `JobEngine.close`."""
        if self._loaded is not None:
            self._loaded.engine.close()

    def _load(self) -> Detector:
        if self._loaded is None:
            self._loaded = job_detector(self._bundle)
        return self._loaded


class TritonJobEngine:
    """Computes on Triton; see `dirdet.batch.engines.base.JobEngine`."""

    def __init__(self, bundle: Bundle, target: TritonTarget, *, in_flight: int, patience_s: float) -> None:
        """Does not connect yet.

        Args:
            bundle: whose models Triton is to serve.
            target: where.
            in_flight: batches that Triton is given at once.
            patience_s: how long a batch is tried again.
        """
        self.described = bundle.manifest
        self.detector = detector_told(bundle, sha256_of(bundle.folder / MANIFEST))
        self._bundle, self._target = bundle, target
        self._in_flight, self._patience_s = in_flight, patience_s
        self._engine: RemoteEngine | None = None

    def begin(self) -> str:
        """See `JobEngine.begin`; a Triton that does not answer at the start is not waited for.

        Raises:
            EngineError: it does not answer, or has another network.
        """
        engine = self._connect()
        detector = Detector(self._bundle.manifest, engine)
        try:
            detector.warm_up()
        except EngineError as exc:
            raise type(exc)(f"{exc} (--triton {self._target.address})") from exc
        return engine.description

    def work(self, settings: Settings, *, workers: int, sink: Sink) -> Work:
        """See `JobEngine.work`."""
        engine = self._connect()
        stage = RemoteCanvasStage(
            Detector(self._bundle.manifest, engine),
            engine,
            settings,
            in_flight=self._in_flight,
            patience_s=self._patience_s,
        )
        return Pipeline(stage, workers=workers, sink=sink)

    def close(self) -> None:
        """See `JobEngine.close`."""
        if self._engine is not None:
            self._engine.close()

    def _connect(self) -> RemoteEngine:
        if self._engine is None:
            engine = make_engine(self._bundle, triton=self._target)
            assert isinstance(engine, RemoteEngine)
            self._engine = engine
        return self._engine
