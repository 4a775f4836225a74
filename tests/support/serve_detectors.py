"""docker/triton/serve-detectors with a stand-in for tritonserver that writes down what it is told."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "docker" / "triton" / "serve-detectors"
KEY = "0123456789abcdef-KEY_of-the-tests"


def run_serve_detectors(folder: Path, *arguments: str, key: str | None = KEY, **variables: str) -> tuple[int, str, str]:
    """Its exit status, output and errors; the output is a line for each argument of tritonserver.

    Args:
        folder: with `repository`; gets the key and the stand-in.
        arguments: of the script.
        key: what is in the file of the key; None for no file.
        variables: further ones of the environment.
    """
    server = folder / "bin" / "tritonserver"
    server.parent.mkdir(exist_ok=True)
    server.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    server.chmod(0o755)
    if key is not None:
        (folder / "key").write_text(f"{key}\n")
    environment = {
        "PATH": f"{server.parent}{os.pathsep}{os.environ['PATH']}",
        "MODEL_REPOSITORY": str(folder / "repository"),
        "TRITON_KEY_FILE": str(folder / "key"),
        "WAIT_S": "0",
    }
    done = subprocess.run(
        ["sh", str(SCRIPT), *arguments], env=environment | variables, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def serve_detectors(folder: Path, *arguments: str, **variables: str) -> list[str]:
    """What it starts tritonserver with."""
    status, out, errors = run_serve_detectors(folder, *arguments, **variables)
    assert status == 0, errors
    return out.splitlines()
