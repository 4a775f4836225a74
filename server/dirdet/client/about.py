"""What GET /detector tells, checked; apart, because its type needs FastAPI's packages."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dirdet.client.errors import UnexpectedAnswerError
from dirdet.faults import first_fault
from dirdet.schemas import DetectorInfo


def detector_of(told: Mapping[str, Any]) -> DetectorInfo:
    """The detector's description.

    Raises:
        UnexpectedAnswerError: this is none.
    """
    try:
        return DetectorInfo.model_validate(told)
    except ValidationError as exc:
        raise UnexpectedAnswerError(f"expected an answer to GET /detector: {first_fault(exc)}") from exc
