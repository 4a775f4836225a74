"""Filters known warnings of torch about the exporter and the detectors that this package uses."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager

from torch.jit._trace import TracerWarning

# Only the TorchScript-based exporter writes a graph without If and Loop for an old ONNX Runtime. The filters can be
# removed together with it.
EXPECTED = (
    # From MMDetection's masks of HTC.
    (UserWarning, r"To copy construct from a tensor"),
    (FutureWarning, r"`torch\.jit\.\w+` is deprecated"),
    (DeprecationWarning, r"`torch\.jit\.\w+` is deprecated"),
    (DeprecationWarning, r"You are using the legacy TorchScript-based ONNX export"),
    # Of padding by reflection in a switchable convolution.
    (UserWarning, r"Constant folding - Only steps=1 can be constant folded"),
    (DeprecationWarning, r"The feature will be removed. Please remove usage of this function"),
)
# Modules of other libraries check their input's shape in Python, which does not change the trace. This package's do
# not.
CHECKED_IN_PYTHON = (r"torch\.nn\.functional", r"mm(cv|det|engine)\.", r"timm\.")


@contextmanager
def expected_warnings() -> Generator[None]:
    """Suppresses known warnings of TorchScript, its ONNX exporter and the traced modules within the block."""
    with warnings.catch_warnings():
        for category, message in EXPECTED:
            warnings.filterwarnings("ignore", message=message, category=category)
        for module in CHECKED_IN_PYTHON:
            warnings.filterwarnings("ignore", module=module, category=TracerWarning)
        yield
