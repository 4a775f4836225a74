"""The models that are served, by their names."""

from collections.abc import Generator
from contextlib import contextmanager

from fastapi import Request

from dirdet.drain import Drain
from dirdet.errors import StoppingError, UnknownDetectorError, UnknownModelError
from dirdet.open_inference.answer import VERSION
from dirdet.served import ServedDetector
from dirdet.service import DetectionService


class ServedModels:
    """A service's detectors as the protocol's models."""

    def __init__(self, service: DetectionService, drain: Drain) -> None:
        """Looks at the service, and at what ends it, when asked."""
        self._service = service
        self._drain = drain

    def named(self, request: Request) -> ServedDetector:
        """The detector that a request is for.

        Args:
            request: whose path has its name, and may have a version.

        Raises:
            UnknownModelError: no detector has the name, or the version is not the only one there is.
            NotReadyError: the detectors are still being loaded.
        """
        detectors = self._service.detectors
        name, version = request.path_params["name"], request.path_params.get("version", VERSION)
        try:
            served = detectors.named(name)
            if version == VERSION:
                return served
        except UnknownDetectorError:
            pass
        raise UnknownModelError(
            f"there is no model {name!r} of version {version!r}; there is "
            + ", ".join(f"{each!r}, {VERSION!r}" for each in detectors.names)
        )

    @contextmanager
    def held(self, request: Request) -> Generator[ServedDetector]:
        """As `named`; it stays open to the end of the block."""
        with self.named(request).held() as served:
            yield served

    async def check_ready(self, name: str | None = None) -> None:
        """Returns if an inference sent now would be answered, by every model or by that of the name.

        Raises:
            StoppingError: the server is stopping.
            NotReadyError: the detectors are still being loaded.
            EngineError: it would not.
        """
        if self._drain.stopping:
            raise StoppingError("the server is stopping")
        await self._service.detectors.check_ready(name)
