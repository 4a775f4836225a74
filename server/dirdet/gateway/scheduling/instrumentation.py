"""The events of the gateway that are measured."""

from collections.abc import Sequence
from typing import Protocol

from dirdet.detection import Detection


class Observer(Protocol):
    """Receives events, from several threads: its methods must be quick and thread-safe."""

    def queue_changed(self, pictures: int, body_bytes: int) -> None:
        """The numbers of pictures that wait or are under way, and of bytes of bodies held or announced, changed."""
        ...

    def shed(self, reason: str) -> None:
        """A request was refused for lack of room: `queue`, `bytes`, `wait`, `loading` or `draining`."""
        ...

    def stage_ended(self, stage: str, seconds: float, *, cpu_s: float = 0.0, detector: str) -> None:
        """A stage of a picture or request ended.

        Args:
            stage: `decode`, `queue` or `finish`; `body`, `infer` or `encode`.
            seconds: its duration.
            cpu_s: processor time of its thread; 0 where it only waited, or other threads computed.
            detector: its name.
        """
        ...

    def batch_ended(self, canvas_hw: tuple[int, int], size: int, *, detector: str, failed: bool) -> None:
        """An engine computed a batch of `size` canvases."""
        ...

    def served(self, detector: str, detections: Sequence[Detection]) -> None:
        """The detections of one picture were answered."""
        ...


class Silent:
    """An observer that ignores all events."""

    def queue_changed(self, pictures: int, body_bytes: int) -> None:
        pass

    def shed(self, reason: str) -> None:
        pass

    def stage_ended(self, stage: str, seconds: float, *, cpu_s: float = 0.0, detector: str) -> None:
        pass

    def batch_ended(self, canvas_hw: tuple[int, int], size: int, *, detector: str, failed: bool) -> None:
        pass

    def served(self, detector: str, detections: Sequence[Detection]) -> None:
        pass


SILENT: Observer = Silent()
