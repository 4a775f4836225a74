"""Which two detectors are compared."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """Names, of which a server has few.

    Attributes:
        detector: what the one that answers is served as.
        candidate: its folder's name.
    """

    detector: str
    candidate: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.detector} beside {self.candidate}"
