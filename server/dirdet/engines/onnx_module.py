"""Imports ONNX Runtime with its telemetry disabled."""

import importlib
import os
from typing import Any

from dirdet.errors import MissingExtraError, install_hint

# Since 1.32 official builds send usage events unless this variable is set before the import (Privacy.md in the
# package). A user who wants telemetry sets it to 0.
NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime(what_for: str) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """The module onnxruntime.

    Args:
        what_for: the feature that needs it, for the error.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault(NO_TELEMETRY, "1")
    try:
        return importlib.import_module("onnxruntime")
    except ModuleNotFoundError as exc:
        raise MissingExtraError(
            f"{what_for} needs ONNX Runtime, which is not installed: {install_hint('cpu')} or, "
            "with an NVIDIA GPU, '.[gpu]'"
        ) from exc
