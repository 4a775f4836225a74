"""Where benches keep what they install and compile."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """DIRDET_CACHE, or ~/.cache/dirdet; there or not."""
    return Path(os.environ.get("DIRDET_CACHE") or Path.home() / ".cache" / "dirdet")
