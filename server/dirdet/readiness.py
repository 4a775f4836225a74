"""Whether a detector answers now, known from its last detection; after an error a probe finds out."""

import time
from collections.abc import Awaitable, Callable

from dirdet.errors import DeadlineError, EngineError

# A probe is a detection: not for every health check of every probe there is.
PROBE_EVERY_S = 1.0


class Readiness:
    """Proven by every detection that succeeds, disproved by every error of the engine; safe to tell from any thread."""

    def __init__(self, probe: Callable[[], Awaitable[object]]) -> None:
        """Not proven yet.

        Args:
            probe: detects on an empty canvas; raises if that does not succeed.
        """
        self._probe = probe
        self._proven = False
        self._trouble = "no detection has succeeded yet"
        self._probed_s = float("-inf")

    def succeeded(self) -> None:
        """A detection succeeded."""
        self._proven = True

    def failed(self, error: Exception) -> None:
        """A detection failed; one that only took too long says nothing of the next."""
        if isinstance(error, DeadlineError):
            return
        self._proven = False
        self._trouble = str(error) if isinstance(error, EngineError) else "the last detection failed"

    async def check(self) -> None:
        """Returns if the detector answers; where that is not known, finds out by a probe, at most one a second.

        Raises:
            EngineError: it does not.
        """
        if self._proven:
            return
        if time.monotonic() - self._probed_s >= PROBE_EVERY_S:
            self._probed_s = time.monotonic()
            try:
                await self._probe()
            except Exception as exc:
                self.failed(exc)
            else:
                self.succeeded()
        if not self._proven:
            raise EngineError(self._trouble)
