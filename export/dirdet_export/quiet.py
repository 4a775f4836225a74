"""Silences, by name, what torch says of the exporters and detectors that this package uses on purpose."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager

from torch.jit._trace import TracerWarning

# The TorchScript-based exporter is the one that writes a graph without If and Loop for an old ONNX Runtime. The
# filters can go when the exporter does.
EXPECTED = (
    # MMDetection of HTC's masks.
    (UserWarning, r"To copy construct from a tensor"),
    (FutureWarning, r"`torch\.jit\.\w+` is deprecated"),
    (DeprecationWarning, r"`torch\.jit\.\w+` is deprecated"),
    (DeprecationWarning, r"You are using the legacy TorchScript-based ONNX export"),
    (DeprecationWarning, r"The feature will be removed. Please remove usage of this function"),
)
# Other people's modules check their input's shape in Python, which changes nothing that is traced. Our own do not.
CHECKED_IN_PYTHON = (r"torch\.nn\.functional", r"mm(cv|det|engine)\.", r"timm\.")


@contextmanager
def expected_warnings() -> Generator[None]:
    """Within it, what is known of TorchScript, its ONNX exporter and the modules they trace or run is not news."""
    with warnings.catch_warnings():
        for category, message in EXPECTED:
            warnings.filterwarnings("ignore", message=message, category=category)
        for module in CHECKED_IN_PYTHON:
            warnings.filterwarnings("ignore", module=module, category=TracerWarning)
        yield
