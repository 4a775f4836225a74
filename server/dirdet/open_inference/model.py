"""The one model that is served, by its name."""

from fastapi import Request

from dirdet.bundle import Manifest
from dirdet.drain import Drain
from dirdet.errors import StoppingError, UnknownModelError
from dirdet.open_inference.answer import VERSION
from dirdet.service import DetectionService


class ServedModel:
    """A service's detector as the protocol's model."""

    def __init__(self, service: DetectionService, drain: Drain) -> None:
        """Looks at the service, and at what ends it, when asked."""
        self._service = service
        self._drain = drain

    def named(self, request: Request) -> Manifest:
        """What the detector says about itself.

        Args:
            request: whose path has its name, and may have a version.

        Raises:
            UnknownModelError: it has another name, or the version is not the only one there is.
            NotReadyError: the detector is still being loaded.
        """
        manifest = self._service.served.detector.manifest
        name, version = request.path_params["name"], request.path_params.get("version", VERSION)
        if (name, version) != (manifest.name, VERSION):
            raise UnknownModelError(
                f"there is no model {name!r} of version {version!r}; there is {manifest.name!r}, {VERSION!r}"
            )
        return manifest

    async def check_ready(self) -> None:
        """Returns if an inference sent now would be answered.

        Raises:
            StoppingError: the server is stopping.
            NotReadyError: the detector is still being loaded.
            EngineError: it would not.
        """
        if self._drain.stopping:
            raise StoppingError("the server is stopping")
        await self._service.served.check_ready()
