"""Says which ONNX Runtime a network needs where the one at hand lacks an operator of it."""

import re
from pathlib import Path

from dirdet.errors import BundleError

# The first release with a CPU kernel, of operators that are newer than the oldest release dirdet installs with.
FIRST_RELEASE = {"DeformConv": "1.25"}


def explain_missing_operator(exc: Exception, path: Path, *, version: str) -> BundleError | None:
    """What to raise instead where a network could not be loaded for want of an operator; None for other reasons.

    Args:
        exc: what ONNX Runtime raised.
        path: of the network.
        version: of ONNX Runtime.
    """
    found = re.search(r"Could not find an implementation for (\w+)\(", str(exc))
    if found is None:
        return None
    operator = found[1]
    wanted = f"{FIRST_RELEASE[operator]} or newer" if operator in FIRST_RELEASE else "another release"
    return BundleError(f"{path} needs ONNX Runtime {wanted}: {version}, which is installed, lacks {operator}")
