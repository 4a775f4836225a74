"""The fields of a detection, each declared once, and what is derived from them."""

from dirdet.detection.detection import FIGURES, Candidate, Detection, Found, all_to_json
from dirdet.detection.field_declaration import Box

__all__ = ["FIGURES", "Box", "Candidate", "Detection", "Found", "all_to_json"]
