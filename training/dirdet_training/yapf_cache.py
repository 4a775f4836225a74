"""MMEngine writes configs by yapf, whose first import on a machine leaves a cache for later ones."""

import importlib
from contextlib import suppress

from filelock import FileLock
from platformdirs import user_cache_path


def load_yapf() -> None:
    """Imports yapf, one process at a time.

    yapf names its cache before all of it is written (seen in 0.43.0): of processes that start together, as torchrun's
    do, one may read half of it and end.
    """
    # Where nothing can be locked, yapf comes with its first use.
    with suppress(OSError, NotImplementedError), FileLock(user_cache_path("dirdet", ensure_exists=True) / "yapf.lock"):
        importlib.import_module("yapf")
