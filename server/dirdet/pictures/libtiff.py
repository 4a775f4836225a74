"""Keeps libtiff's warnings about pictures off this process's standard error."""

import ctypes
from contextlib import suppress

from PIL import _imaging  # pyright: ignore[reportPrivateImportUsage] - the module that is linked with libtiff


def silence_libtiff() -> None:
    """Removes libtiff's message handlers, which print a line for every broken code word of a TIFF.

    Otherwise a client could fill the log with unformatted lines. Pillow still raises an error, and the response reports
    a broken picture. If Pillow's libtiff cannot be accessed, the handlers stay.
    """
    with suppress(OSError, AttributeError):
        # the symbol is also looked up in the libraries that the module is linked with
        linked = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            set_handler = getattr(linked, name)
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)
