"""How fast pictures are answered, measured from those that were."""

# After so many pictures the older ones count for a third.
MEMORY = 64


class Pace:
    """Seconds of work per answered picture, over all stages; it has no clock.

    Only time in which there was work counts. Under load that is the time between two answers, whichever stage is the
    slowest and however many it works on at once.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._working_since_s: float | None = None
        self._worked_s = 0.0
        self._answered = 0.0

    @property
    def per_picture_s(self) -> float:
        """Seconds per picture; 0 as long as nothing was answered."""
        return self._worked_s / self._answered if self._answered else 0.0

    def work_came(self, now_s: float) -> None:
        """There is work."""
        if self._working_since_s is None:
            self._working_since_s = now_s

    def answered(self, now_s: float) -> None:
        """A picture was answered."""
        keep = 1 - 1 / MEMORY
        begun_s = now_s if self._working_since_s is None else self._working_since_s
        self._worked_s = keep * self._worked_s + now_s - begun_s
        self._answered = keep * self._answered + 1
        self._working_since_s = now_s

    def work_ended(self) -> None:
        """There is no work any more."""
        self._working_since_s = None
