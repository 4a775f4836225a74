"""The libraries of the extra [quality], imported when a figure needs them."""

import importlib
from typing import Any

from dirdet.errors import MissingExtraError, install_hint


def library(module: str) -> Any:  # noqa: ANN401 - none of them says its types
    """A module of scipy, scikit-learn, faster-coco-eval or matplotlib.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        package = module.split(".")[0]
        message = f"quality figures need the package '{package}', which is not installed: {install_hint('quality')}"
        raise MissingExtraError(message) from exc
