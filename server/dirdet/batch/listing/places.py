"""Where a name in a list is: below a folder, or at an address below one that was typed."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from dirdet.batch.remote import is_address

# A folder on this machine, or an address.
Place = Path | str


def located(place: Place, name: str) -> bytes | None:
    """A file by its name in a list; None where it is an address of elsewhere.

    A list may come from others: it reaches only the server or bucket that the user named.
    """
    if isinstance(place, Path):
        return None if is_address(name) else os.fsencode(place / name)
    if not is_address(name):
        return f"{place.rstrip('/')}/{name}".encode("utf-8", "surrogateescape")
    told, wanted = urlsplit(place), urlsplit(name)
    same = (told.scheme, told.netloc) == (wanted.scheme, wanted.netloc)
    return name.encode("utf-8", "surrogateescape") if same else None


class Folder(click.ParamType[Place]):
    """On the command line: a folder that is there, or an address."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:  # noqa: ANN401
        """See `click.ParamType.convert`."""
        if is_address(value):
            return str(value)
        return click.Path(path_type=Path, file_okay=False, exists=True).convert(value, param, ctx)
