"""Which cut-outs are set aside for a final test elsewhere and are never opened here."""

import hashlib
from pathlib import PurePosixPath
from typing import Final

_RESERVED_FIRST_DIGITS: Final = "ef"


def identity_of(relative: str) -> str:
    """The path that a cut-out shares with its mirrored file.

    Args:
        relative: path relative to the stamps folder, with forward slashes.

    Returns:
        The path with `_mirror` taken out of the file name.
    """
    path = PurePosixPath(relative)
    return path.with_name(path.name.replace("_mirror", "")).as_posix()


def is_reserved(relative: str) -> bool:
    """Whether the file at this path (relative to the stamps folder) must not be opened.

    The rule reads the path alone, so it can be applied before a file is touched.
    """
    digest = hashlib.sha256(identity_of(relative).encode()).hexdigest()
    return digest[0] in _RESERVED_FIRST_DIGITS
