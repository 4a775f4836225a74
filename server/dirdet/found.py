"""What is found in one picture: the detections and, where they are asked for, the candidates they were chosen from."""

from typing import NamedTuple

from dirdet.bundle import Manifest
from dirdet.candidate import Candidate, candidates_of
from dirdet.canvas import Fit
from dirdet.detection import Detection
from dirdet.detections import detections_of
from dirdet.options import Settings
from dirdet.tensors import Candidates


class Found(NamedTuple):
    """In one picture.

    Attributes:
        detections: most confident first.
        candidates: best scored first; None where nobody asked for them.
    """

    detections: list[Detection]
    candidates: list[Candidate] | None = None


def found_in(candidates: Candidates, index: int, *, fit: Fit, manifest: Manifest, settings: Settings) -> Found:
    """What is found on one canvas of a batch; the arguments are those of `detections_of`."""
    return Found(
        detections_of(candidates, index, fit=fit, manifest=manifest, settings=settings),
        candidates_of(candidates, index, fit=fit, manifest=manifest) if settings.candidates else None,
    )
