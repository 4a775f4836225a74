"""Replaces detectors by what their folders have now, while they are asked."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
from anyio import to_thread

from dirdet.bundle import Manifest
from dirdet.detector_source import DetectorSource, NamedBundle
from dirdet.engines.base import ControlledEngine
from dirdet.errors import BundleError, DirdetError, ReloadError
from dirdet.loading import Loader
from dirdet.served import ServedDetector
from dirdet.service import DetectionService

log = logging.getLogger(__name__)

NO_FOLDER = "this server was given its detectors ready loaded, and has no folder to read again"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of one detector.

    Attributes:
        before: what was served.
        now: what is served; equal to `before` where nothing had changed.
    """

    before: Manifest
    now: Manifest


class Reloader:
    """Reads the folders that the server was started with, and no others; one reload at a time."""

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
            service: whose detectors are replaced.
            loader: loads them; None if this server reloads nothing.
            bundles: what the service was started with.
            refusal: why it reloads nothing.
        """
        self._service = service
        self._loader = loader
        self._sources: dict[str, DetectorSource] = {each.name: each.source for each in bundles}
        self._refusal = refusal
        self._one = anyio.Lock()

    async def reload(self, name: str | None = None) -> list[Reloaded]:
        """Replaces the detector of a name, or all of them: every one whose folder has changed, or none.

        A new engine is loaded and has detected on every canvas beside the old one before requests go to it; the old
        one is closed after its last request.

        Raises:
            UnknownDetectorError: there is no such name.
            NotReadyError: the detectors are not loaded yet.
            ReloadError: one could not be loaded, and all are served as before.
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
        """What the folder of a name has now, ready to be asked; None if that is what is served."""
        source = self._sources[name]
        bundle = await to_thread.run_sync(source.open)
        named = NamedBundle(source, bundle)
        if bundle.manifest.model_copy(update={"name": name}) == before:  # which names every file's hash
            return None
        served = await to_thread.run_sync(loader.load, named)
        try:
            engine = served.detector.engine
            if isinstance(engine, ControlledEngine):
                await engine.load_models()
            await served.warm_up_in_turn()
            if (await to_thread.run_sync(source.open)).manifest != bundle.manifest:
                raise BundleError(f"{bundle.folder} was changed while it was read; ask again when it is complete")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(served.close)
            raise
        return served
