"""Loads detectors from bundles, at the start and when one is replaced."""

import logging
from functools import partial

from dirdet.bundle.sources import NamedBundle
from dirdet.detector.detector import Detector
from dirdet.engines.factory import make_engine
from dirdet.engines.triton.target import TritonTarget
from dirdet.gateway.scheduling.concurrency import at_low_priority
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.gateway.service.detectors import ServedDetector

log = logging.getLogger(__name__)


class Loader:
    """Loads detectors for one service, all onto the same kind of engine."""

    def __init__(
        self, service: DetectionService, *, triton: TritonTarget | None = None, threads: int = 0, several: bool = False
    ) -> None:
        """Loads nothing yet.

        Args:
            service: provides limits, observer and inference threads.
            triton: which Triton, if any.
            threads: of one inference in this process; 0 lets the engine choose.
            several: engines in this process take turns.
        """
        self._service = service
        self._triton = triton
        self._threads = threads
        self._several = several

    def load(self, named: NamedBundle) -> ServedDetector:
        """A detector under the name it is served as, not warmed up yet.

        Raises:
            DirdetError: the bundle cannot be loaded.
        """
        bundle, service = named.bundle, self._service
        make = partial(
            make_engine,
            bundle,
            triton=self._triton,
            threads=self._threads,
            several=self._several,
            at_once=service.limits.inferences,
        )
        # An engine on Triton computes nothing in this process.
        engine = make() if self._triton is not None else at_low_priority(make)
        manifest = bundle.manifest.model_copy(update={"name": named.name})
        detector = Detector(manifest, engine, model_card=bundle.model_card())
        inferences = None if self._triton is not None else service.inferences
        served = ServedDetector(detector, service.limits, service.observer, inferences=inferences)
        log.info("detector: %s (%s), %d classes", named.name, manifest.architecture, len(manifest.categories))
        return served
