"""Files that appear whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_whole(path: Path, fill: Callable[[IO[bytes]], object], *, durable: bool = False) -> None:
    """Writes a file under another name first, and its folder if need be.

    Args:
        path: where it appears.
        fill: writes its content.
        durable: it is on the disk, whole, before this returns: a machine that loses its power then keeps it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            fill(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
