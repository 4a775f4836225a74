"""Imports the libraries of the extra [quality] when a figure needs them."""

from typing import Any

from dirdet.extras import import_extra


def library(module: str) -> Any:  # noqa: ANN401 - none of them says its types
    """Imports a module of scipy, scikit-learn, faster-coco-eval or matplotlib.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra(module, needs="quality figures need", extra="quality")
