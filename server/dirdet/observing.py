"""What somebody who measures the gateway is told, as it happens."""

from collections.abc import Sequence
from typing import Protocol

from dirdet.detection import Detection
from dirdet.shadow.comparison import Comparison
from dirdet.shadow.pair import Pair


class Observer(Protocol):
    """Told of events from several threads, so that it must be quick and safe to call from any."""

    def queue_changed(self, pictures: int, body_bytes: int) -> None:
        """So many pictures wait or are under way, and so many bytes of bodies are held or announced."""
        ...

    def shed(self, reason: str) -> None:
        """A request was refused for want of room: `queue`, `bytes`, `wait`, `loading` or `draining`."""
        ...

    def stage_ended(self, stage: str, seconds: float, *, cpu_s: float = 0.0, detector: str) -> None:
        """A picture was decoded, waited for its batch or was finished; a request's body came, was inferred or encoded.

        Args:
            stage: `decode`, `queue` or `finish`; `body`, `infer` or `encode`.
            seconds: it took.
            cpu_s: of the processor, by the thread that did it; 0 where it waited only, or others did it.
            detector: for which.
        """
        ...

    def batch_ended(self, canvas_hw: tuple[int, int], size: int, *, detector: str, failed: bool) -> None:
        """A detector's engine computed a batch of so many canvases."""
        ...

    def served(self, detector: str, detections: Sequence[Detection]) -> None:
        """A detector's detections of one picture are answered."""
        ...

    def shadow_began(self, pair: Pair) -> None:
        """From now on a candidate computes some of what a detector answers."""
        ...

    def shadow_compared(self, pair: Pair, found: Comparison) -> None:
        """It has computed a picture."""
        ...

    def shadow_dropped(self, pair: Pair, reason: str) -> None:
        """A picture was not computed: `queue` (too many wait), `memory` (they hold too much) or `stopping`."""
        ...

    def shadow_failed(self, pair: Pair) -> None:
        """A picture could not be computed."""
        ...


class Silent:
    """An observer that tells nobody."""

    def queue_changed(self, pictures: int, body_bytes: int) -> None:
        """See `Observer`."""

    def shed(self, reason: str) -> None:
        """See `Observer`."""

    def stage_ended(self, stage: str, seconds: float, *, cpu_s: float = 0.0, detector: str) -> None:
        """See `Observer`."""

    def batch_ended(self, canvas_hw: tuple[int, int], size: int, *, detector: str, failed: bool) -> None:
        """See `Observer`."""

    def served(self, detector: str, detections: Sequence[Detection]) -> None:
        """See `Observer`."""

    def shadow_began(self, pair: Pair) -> None:
        """See `Observer`."""

    def shadow_compared(self, pair: Pair, found: Comparison) -> None:
        """See `Observer`."""

    def shadow_dropped(self, pair: Pair, reason: str) -> None:
        """See `Observer`."""

    def shadow_failed(self, pair: Pair) -> None:
        """See `Observer`."""


SILENT: Observer = Silent()
