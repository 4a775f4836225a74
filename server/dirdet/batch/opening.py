"""A source's files, opened wherever they are."""

from typing import IO

from dirdet.batch.remote import is_address, open_remote


def open_file(path: bytes) -> IO[bytes]:
    """A file that can be read from any place in it.

    Raises:
        OSError: it cannot be opened.
        PictureError: the same of an address.
    """
    if is_address(path):
        return open_remote(path)
    return open(path, "rb")  # noqa: PTH123 - bytes
