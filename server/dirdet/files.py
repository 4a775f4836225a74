"""Files and folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
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


@contextmanager
def whole_folder(path: Path) -> Generator[Path]:
    """A folder to fill under another name, which takes the place of the one at `path` when it is left without an error.

    A process that is killed meanwhile leaves folders named `.NAME.PID` and `.NAME.old.PID`, and between two renames no
    folder at `path`.
    """
    part, old = (path.with_name(f".{path.name}{kind}.{os.getpid()}") for kind in ("", ".old"))
    for each in (part, old):
        shutil.rmtree(each, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if path.exists():
            path.rename(old)
        try:
            part.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    finally:
        for each in (part, old):
            shutil.rmtree(each, ignore_errors=True)
