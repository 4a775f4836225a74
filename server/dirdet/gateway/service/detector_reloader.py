"""Replaces detectors by the current content of their folders, while requests are served."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
from anyio import to_thread

from dirdet.bundle.bundle import Manifest
from dirdet.bundle.sources import DetectorSource, NamedBundle
from dirdet.engines.base import ControlledEngine
from dirdet.errors import BundleError, DirdetError, ReloadError
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.gateway.service.detector_loader import Loader
from dirdet.gateway.service.detectors import ServedDetector

log = logging.getLogger(__name__)

NO_FOLDER = "this server was started with loaded detectors, and has no folder to read again"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The result for one detector.

    Attributes:
        before: the detector served before.
        now: the detector served now; equal to `before` if its folder has not changed.
    """

    before: Manifest
    now: Manifest


class Reloader:
    """Reads the folders that the server was started with, and only those; one reload at a time."""

    def __init__(
        self,
        service: DetectionService,
        loader: Loader | None = None,
        bundles: Sequence[NamedBundle] = (),
        *,
        refusal: str = NO_FOLDER,
    ) -> None:
        """Reads nothing yet.

        Args:
            service: with the detectors to replace.
            loader: None if this server cannot reload.
            bundles: of the service.
            refusal: why this server cannot reload.
        """
        self._service = service
        self._loader = loader
        self._sources: dict[str, DetectorSource] = {each.name: each.source for each in bundles}
        self._refusal = refusal
        self._one = anyio.Lock()

    async def reload(self, name: str | None = None) -> list[Reloaded]:
        """Replaces one detector or all: every one whose folder has changed, or none at all.

        The new engine is loaded and warmed up beside the old one before it gets requests; the old one is closed after
        its last request.

        Raises:
            UnknownDetectorError: there is no such name.
            NotReadyError: the detectors are not loaded yet.
            ReloadError: a detector could not be loaded; all are served as before.
        """
        if self._loader is None:
            raise ReloadError(self._refusal)
        detectors = self._service.detectors
        detectors.named(name)
        async with self._one:
            fresh: list[ServedDetector] = []
            told: list[Reloaded] = []
            for each in detectors.names if name is None else [name]:
                before = detectors.named(each).detector.manifest
                try:
                    loaded = await self._loaded(self._loader, each, before)
                except DirdetError as exc:
                    for other in fresh:
                        await to_thread.run_sync(other.close)
                    log.error("reload: %s: %s; served as before", each, exc)
                    raise ReloadError(f"{each} is served as before: {exc}") from exc
                if loaded is not None:
                    fresh.append(loaded)
                told.append(Reloaded(before, before if loaded is None else loaded.detector.manifest))
            detectors.serve(fresh)
        log.info("reload: %s", ", ".join(served.name for served in fresh) or "nothing had changed")
        return told

    async def _loaded(self, loader: Loader, name: str, before: Manifest) -> ServedDetector | None:
        """The detector now in the folder of a name, warmed up; None if it is already served."""
        source = self._sources[name]
        bundle = await to_thread.run_sync(source.open)
        named = NamedBundle(source, bundle)
        if bundle.manifest.model_copy(update={"name": name}) == before:  # the manifest holds every file's hash
            return None
        served = await to_thread.run_sync(loader.load, named)
        try:
            engine = served.detector.engine
            if isinstance(engine, ControlledEngine):
                await engine.load_models()
            await served.warm_up_in_turn()
            if (await to_thread.run_sync(source.open)).manifest != bundle.manifest:
                raise BundleError(f"{bundle.folder} changed while it was read; repeat the request when it is complete")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(served.close)
            raise
        return served
