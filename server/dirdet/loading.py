"""From a bundle to a detector at work, at the start and whenever one is replaced."""

import logging
from functools import partial

from dirdet.detector import Detector
from dirdet.detector_source import NamedBundle
from dirdet.engines.factory import make_engine
from dirdet.engines.triton_target import TritonTarget
from dirdet.open_inference.tensors import protocol_tensors
from dirdet.priority import stepped_back
from dirdet.served import ServedDetector
from dirdet.service import DetectionService

log = logging.getLogger(__name__)


class Loader:
    """Loads detectors for one service, all onto the same kind of engine."""

    def __init__(
        self, service: DetectionService, *, triton: TritonTarget | None = None, threads: int = 0, several: bool = False
    ) -> None:
        """Loads nothing yet.

        Args:
            service: whose limits, observer and inference threads they have.
            triton: which Triton, if any.
            threads: of one inference in this process; 0 lets the engine choose.
            several: engines in this process take turns.
        """
        self._service = service
        self._triton = triton
        self._threads = threads
        self._several = several

    def load(self, named: NamedBundle) -> ServedDetector:
        """A detector that bears the name it is served as; it has not detected yet.

        Raises:
            DirdetError: it cannot be loaded.
        """
        bundle, service = named.bundle, self._service
        protocol_tensors(bundle.manifest)  # what /v2 will tell, checked before anybody asks
        make = partial(
            make_engine,
            bundle,
            triton=self._triton,
            threads=self._threads,
            several=self._several,
            at_once=service.limits.inferences,
        )
        # What asks Triton only passes things on, and computes nothing itself.
        engine = make() if self._triton is not None else stepped_back(make)
        manifest = bundle.manifest.model_copy(update={"name": named.name})
        detector = Detector(manifest, engine, model_card=bundle.model_card())
        inferences = None if self._triton is not None else service.inferences
        served = ServedDetector(detector, service.limits, service.observer, inferences=inferences)
        log.info("detector: %s (%s), %d classes", named.name, manifest.architecture, len(manifest.categories))
        return served
