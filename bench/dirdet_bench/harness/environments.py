"""Virtual environments for other projects that are measured, kept between runs."""

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from dirdet.errors import MissingExtraError


def cache_folder() -> Path:
    """DIRDET_CACHE, or ~/.cache/dirdet; it need not exist."""
    return Path(os.environ.get("DIRDET_CACHE") or Path.home() / ".cache" / "dirdet")


def python_with(name: str, requirements: Sequence[str]) -> Path:
    """The Python of an environment with these packages, which is made on first use; this Python if there are none.

    Raises:
        MissingExtraError: they cannot be installed.
    """
    if not requirements:
        return Path(sys.executable)
    digest = hashlib.sha256(f"{sys.version} {list(requirements)}".encode()).hexdigest()[:12]
    folder = cache_folder() / f"bench-{name}-{digest}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        ran = subprocess.run(pip, capture_output=True, text=True, check=False)
        if ran.returncode:
            last = ran.stderr.strip().splitlines()[-1:]
            raise MissingExtraError(f"{name} cannot be installed to compare with: {' '.join(last)}")
        ready.touch()
    return python
