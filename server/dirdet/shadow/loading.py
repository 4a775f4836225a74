"""Which candidates a command was told, and how they come to stand beside the detectors that are served."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dirdet.bundle import Bundle, Manifest
from dirdet.detector import Detector
from dirdet.detector_source import DetectorSource, NamedBundle
from dirdet.engines.background import BackgroundEngine
from dirdet.engines.factory import make_engine
from dirdet.engines.triton_target import TritonTarget
from dirdet.errors import BundleError, DirdetError, ParameterError
from dirdet.service import DetectionService
from dirdet.shadow.pair import Pair
from dirdet.shadow.shadow import Shadow
from dirdet.triton.layout import ModelNames, network_digest

log = logging.getLogger(__name__)

OPTION = "--shadow"


@dataclass(frozen=True, slots=True)
class CandidateBundle:
    """A bundle that is opened, and the detector that it is to be compared with.

    Attributes:
        pair: their names.
        bundle: the candidate's.
    """

    pair: Pair
    bundle: Bundle


def open_candidates(
    sources: Sequence[DetectorSource], bundles: Sequence[NamedBundle], *, triton: TritonTarget | None = None
) -> list[CandidateBundle]:
    """Every candidate, each beside one of the detectors that are served, the default one unless it is named.

    Args:
        sources: name a served detector and the candidate's folder.
        bundles: what is served, the default one first.
        triton: which Triton, if any.

    Raises:
        BundleError: one cannot be opened, or does not fit its detector.
        ParameterError: a detector is not served, or has two candidates.
    """
    by_name = {each.name: each.bundle for each in bundles}
    found: dict[str, CandidateBundle] = {}
    for source in sources:
        name = source.name or bundles[0].name
        if name not in by_name:
            raise ParameterError(OPTION, f"no detector {name!r} is served; there is {', '.join(map(repr, by_name))}")
        if name in found:
            raise ParameterError(
                OPTION,
                f"two candidates beside {name!r}, {found[name].bundle.folder} and {source.folder}; expected one a "
                "detector",
            )
        bundle = source.open()
        check_fits(by_name[name].manifest, bundle)
        if triton is not None:
            _check_models(by_name.values(), bundle)
        found[name] = CandidateBundle(Pair(name, bundle.folder.resolve().name), bundle)
    return list(found.values())


def check_fits(served: Manifest, candidate: Bundle) -> None:
    """Returns if a candidate knows every class of the served detector by its name; in which order does not matter.

    Raises:
        BundleError: names the classes that it lacks.
    """
    known = [category.name for category in candidate.manifest.categories]
    missing = [category.name for category in served.categories if category.name not in known]
    if missing:
        raise BundleError(
            f"{OPTION} {candidate.folder}: does not know {', '.join(map(repr, missing))}; expected every class of the "
            f"detector beside it, found {', '.join(known)}"
        )


def _check_models(served: Iterable[Bundle], candidate: Bundle) -> None:
    """Triton's models have the names of their bundles.

    Raises:
        BundleError: two networks would have one name.
    """
    name, digest = candidate.manifest.name, network_digest(candidate.manifest)
    for bundle in served:
        if bundle.manifest.name == name and network_digest(bundle.manifest) != digest:
            raise BundleError(
                f"{OPTION} {candidate.folder}: Triton has one model {ModelNames(name).detector!r}, which is that of "
                f"{bundle.folder}; expected a bundle of another name (dirdet export --name)"
            )


def load_shadow(
    candidate: CandidateBundle,
    service: DetectionService,
    *,
    share: float,
    triton: TritonTarget | None = None,
    threads: int = 0,
) -> Shadow:
    """A candidate that has detected on every canvas; one on Triton is not waited for.

    Args:
        candidate: is opened.
        service: serves the detector beside it.
        share: of the requests, in 0..1.
        triton: which Triton, if any.
        threads: of one inference in a process of this machine; 0 lets the engine choose.

    Raises:
        DirdetError: it cannot be loaded.
    """
    bundle, pair = candidate.bundle, candidate.pair
    if triton is None:
        engine = BackgroundEngine(bundle, threads=threads)
        detector = Detector(bundle.manifest, engine)
        try:
            detector.warm_up()
        except DirdetError:
            engine.close()
            raise
        engine.give_way()
    else:
        engine = make_engine(bundle, triton=replace(triton, model=None, shared_memory=False))
        detector = Detector(bundle.manifest, engine)
    log.info("shadow: %s, %g of the requests", pair, share)
    detectors = service.detectors
    return Shadow(
        pair,
        detector,
        share=share,
        may_begin=lambda: detectors.named(pair.detector).lane.has_room,
        observer=service.observer,
    )
