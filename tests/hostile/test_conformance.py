"""The gateway against its own document: Schemathesis sends what fits it and what does not.

DIRDET_API_EXAMPLES says how many of each operation; `make test-api` sends many more than the tests do, and also
sequences of requests.
"""

import os
import subprocess
import sys
from pathlib import Path

from .gateway import Gateway

HERE = Path(__file__).parent
EXAMPLES = os.environ.get("DIRDET_API_EXAMPLES")
PHASES = "examples,coverage,fuzzing" + (",stateful" if EXAMPLES else "")


def conforms(gateway: Gateway, folder: Path, *options: str) -> None:
    """Every answer is as the document says, and the server never fails."""
    before = len(gateway.log())
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{gateway.url}/openapi.json", "--phases", PHASES, "--max-examples", EXAMPLES or "4", *options),
    ]
    environment = os.environ | {"DIRDET_API_CHECKS": str(HERE / "schemathesis_checks.py")}
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=3600, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 selected" in done.stdout, "an operation is left out"
    assert "Traceback" not in gateway.log()[before:]
    assert gateway.is_ready()


def test_without_keys(unguarded: Gateway, tmp_path: Path) -> None:
    conforms(unguarded, tmp_path)


def test_with_keys(guarded: Gateway, tmp_path: Path) -> None:
    conforms(guarded, tmp_path, "--header", f"Authorization: Bearer {guarded.key}")
