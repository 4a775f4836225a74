"""The candidates beside the detectors that are served, one each at most."""

from collections.abc import Sequence

from dirdet.options import DetectOptions, Settings
from dirdet.served import ServedDetector
from dirdet.shadow.shadow import Shadow, ShadowedRequest


class Shadows:
    """By the name of the detector that answers."""

    def __init__(self) -> None:
        """There are none."""
        self._by_detector: dict[str, Shadow] = {}

    def begin(self, shadows: Sequence[Shadow]) -> None:
        """From now on these are offered what is answered."""
        self._by_detector |= {each.pair.detector: each for each in shadows}

    def of_request(self, served: ServedDetector, options: DetectOptions, settings: Settings) -> ShadowedRequest | None:
        """What offers a request's pictures to the candidate, if there is one and chance takes the request."""
        shadow = self._by_detector.get(served.name)
        return None if shadow is None else shadow.of_request(served.detector.manifest, options, settings)

    def close(self) -> None:
        """Ends the candidates; nothing is offered any more."""
        for each in self._by_detector.values():
            each.close()
