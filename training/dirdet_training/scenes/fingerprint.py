"""Hashes and versions that say which generator made a data set, from what, and whether it is still whole."""

import hashlib
from pathlib import Path

import numpy as np
import PIL
from PIL import features


def file_sha256(file: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def tree_sha256(files: dict[str, Path]) -> str:
    """One sha256 over the names and contents of files, whatever their order."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{file_sha256(files[name])}  {name}\n".encode())
    return total.hexdigest()


def generator_hash() -> str:
    """sha256 over the source files of this package: it changes whenever the pictures may."""
    here = Path(__file__).parent
    return tree_sha256({file.relative_to(here).as_posix(): file for file in here.rglob("*.py")})


def library_versions() -> dict[str, str]:
    """Versions of what computes pixels and encodes them."""
    return {
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "libjpeg-turbo": features.version_feature("libjpeg_turbo") or "absent",
    }
