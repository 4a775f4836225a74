"""Keeps libtiff's remarks on pictures from this process's standard error."""

import ctypes
from contextlib import suppress

from PIL import _imaging  # pyright: ignore[reportPrivateImportUsage] - the module that is linked with libtiff


def silence_libtiff() -> None:
    """Takes away libtiff's handlers, which print a line for every code word that a broken TIFF has.

    Whoever sends a picture could fill the log so, past its format. Nothing is lost: Pillow raises, and the answer says
    that the picture is broken. A Pillow whose libtiff cannot be reached keeps printing.
    """
    with suppress(OSError, AttributeError):
        linked = ctypes.CDLL(_imaging.__file__)  # a symbol is looked up in what it is linked with, too
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            set_handler = getattr(linked, name)
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)
