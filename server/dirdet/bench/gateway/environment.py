"""Virtual environments for servers of other projects, kept between runs."""

import hashlib
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from dirdet.bench.cache import cache_folder
from dirdet.errors import MissingExtraError


def python_with(name: str, requirements: Sequence[str]) -> Path:
    """A Python that has these packages, below DIRDET_CACHE or ~/.cache/dirdet; made on first use.

    Args:
        name: of the environment.
        requirements: as pip takes them.

    Raises:
        MissingExtraError: they cannot be installed.
    """
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
