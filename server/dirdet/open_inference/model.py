"""The one model that is served, by its name."""

from fastapi import Request

from dirdet.bundle import Manifest
from dirdet.errors import EngineError, UnknownModelError
from dirdet.open_inference.answer import VERSION
from dirdet.service import DetectionService


class ServedModel:
    """A service's detector as the protocol's model."""

    def __init__(self, service: DetectionService) -> None:
        """Looks at the service when asked."""
        self._service = service

    def named(self, request: Request) -> Manifest:
        """What the detector says about itself.

        Args:
            request: whose path has its name, and may have a version.

        Raises:
            UnknownModelError: it has another name, or the version is not the only one there is.
        """
        manifest = self._service.detector.manifest
        name, version = request.path_params["name"], request.path_params.get("version", VERSION)
        if (name, version) != (manifest.name, VERSION):
            raise UnknownModelError(
                f"there is no model {name!r} of version {version!r}; there is {manifest.name!r}, {VERSION!r}"
            )
        return manifest

    def check_ready(self) -> None:
        """Returns if an inference sent now would be answered.

        Raises:
            EngineError: it would not.
        """
        if not self._service.detector.engine.ready():
            raise EngineError("the engine is not ready")
