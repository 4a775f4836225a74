"""ONNX Runtime, imported so that it tells nobody of its use."""

import importlib
import os
from typing import Any

from dirdet.errors import MissingExtraError, install_hint

# Since 1.32 official builds send events to their maker unless this stands in the environment before they begin
# (Privacy.md in the package). Who wants that sets it to 0.
NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime(what_for: str) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """The module onnxruntime.

    Args:
        what_for: needs it, for the error.

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
