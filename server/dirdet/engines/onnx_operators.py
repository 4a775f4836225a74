"""Explains which ONNX Runtime a network needs if the installed one lacks an operator."""

import re
from pathlib import Path

from dirdet.errors import BundleError

# First release with a CPU kernel, for operators that the oldest supported release lacks.
FIRST_RELEASE = {"DeformConv": "1.25"}


def explain_missing_operator(exc: Exception, path: Path, *, version: str) -> BundleError | None:
    """The error to raise if a network could not be loaded because an operator is missing; None for other causes.

    Args:
        exc: raised by ONNX Runtime.
        path: of the network.
        version: of ONNX Runtime.
    """
    found = re.search(r"Could not find an implementation for (\w+)\(", str(exc))
    if found is None:
        return None
    operator = found[1]
    wanted = f"{FIRST_RELEASE[operator]} or newer" if operator in FIRST_RELEASE else "another release"
    return BundleError(f"{path} needs ONNX Runtime {wanted}: {version}, which is installed, lacks {operator}")
