"""Checks the answer to GET /detector; a separate module, because the answer's type needs FastAPI's packages."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dirdet.api.schemas import DetectorInfo
from dirdet.client.errors import UnexpectedAnswerError
from dirdet.errors import first_fault


def detector_of(description: Mapping[str, Any]) -> DetectorInfo:
    """Parses the detector's description.

    Raises:
        UnexpectedAnswerError: the answer has another form.
    """
    try:
        return DetectorInfo.model_validate(description)
    except ValidationError as exc:
        raise UnexpectedAnswerError(f"expected an answer to GET /detector: {first_fault(exc)}") from exc
