"""The outcome of a config's trial."""

from dataclasses import dataclass, replace

from dirdet_export.coverage.packages import MISSING

YES = "yes"
# The detector was built and read with a DIR head, and not exported.
ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a config's trial.

    Attributes:
        config: its name.
        retrofit: YES or ACCEPTED, or the reason against it.
        export: YES or ACCEPTED, or the reason against it.
        detections: number of the reference's detections that the proof of parity compared.
        broken: whether a reason is an error that dirdet does not explain.
        seconds: of the trial.
        imports: packages that the config imports itself, with their versions or "not installed".
    """

    config: str
    retrofit: str
    export: str
    detections: int
    broken: bool
    seconds: float
    imports: str = ""

    @property
    def works(self) -> bool:
        """Whether the config retrofits and exports with parity."""
        return self.retrofit == self.export == YES

    @property
    def exported(self) -> bool:
        """Whether an export was tried."""
        return self.retrofit == YES

    @property
    def open(self) -> bool:
        """Whether a trial may say more: the config was accepted and not exported, or lacked a package."""
        return self.export == ACCEPTED or bool(self.lacks)

    @property
    def lacks(self) -> str:
        """The packages, not all of which were installed, that kept the config from being read; empty if none did."""
        return self.imports if self.reason and MISSING in self.imports else ""

    @property
    def reason(self) -> str:
        """The reason against the first step that failed; empty if none did."""
        return next((text for text in (self.retrofit, self.export) if text not in (YES, ACCEPTED)), "")

    def because(self, reason: str) -> "Outcome":
        """The same outcome with a reason against the retrofit."""
        return replace(self, retrofit=reason)
