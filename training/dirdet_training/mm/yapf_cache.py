"""Imports yapf safely: MMEngine formats configs by yapf, whose first import on a machine writes a cache."""

import importlib
from contextlib import suppress

from filelock import FileLock
from platformdirs import user_cache_path


def load_yapf() -> None:
    """Imports yapf, one process at a time.

    yapf makes its cache visible before it is complete (seen in 0.43.0), so that of processes that start together, such
    as torchrun's, one may read an incomplete cache and fail.
    """
    # If no lock can be taken, yapf is imported at its first use.
    with suppress(OSError, NotImplementedError), FileLock(user_cache_path("dirdet", ensure_exists=True) / "yapf.lock"):
        importlib.import_module("yapf")
