"""ONNX Runtime is told to tell nobody, before it begins."""

import os
import subprocess
import sys

import pytest

LOAD = (
    "from dirdet.detector.detector import Detector; import os; "
    "Detector.open(); print(os.environ['ORT_DISABLE_TELEMETRY'])"
)


@pytest.mark.parametrize(("said", "holds"), [(None, "1"), ("0", "0")])
def test_detecting_tells_nobody_unless_asked_to(said: str | None, holds: str) -> None:
    pytest.importorskip("onnxruntime", reason="detecting needs ONNX Runtime")
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    if said is not None:
        environment["ORT_DISABLE_TELEMETRY"] = said
    ran = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == holds
