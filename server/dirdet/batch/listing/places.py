"""Resolves names in a list: below a folder, or below a typed address."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import click

from dirdet.batch.remote import is_address
from dirdet.files import path_below

# A local folder, or an address.
Place = Path | str


def located(place: Place, name: str) -> bytes | None:
    """Path or address of a name in a list; None if it is not below the place."""
    if isinstance(place, Path):
        path = None if is_address(name) else path_below(place, name)
        return None if path is None else os.fsencode(path)
    address = name if is_address(name) else f"{place.rstrip('/')}/{name}"
    return address.encode("utf-8", "surrogateescape") if _is_below(urlsplit(place), urlsplit(address)) else None


def _is_below(place: SplitResult, wanted: SplitResult) -> bool:
    """Whether an address is below another, without `..`, plain or percent-encoded."""
    if (place.scheme, place.netloc) != (wanted.scheme, wanted.netloc):
        return False
    parts = re.split(r"[/\\]", unquote(wanted.path))
    return wanted.path.startswith(f"{place.path.rstrip('/')}/") and ".." not in parts


class Folder(click.ParamType[Place]):
    """A command line's argument: an existing folder, or an address."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:  # noqa: ANN401
        if is_address(value):
            return str(value)
        return click.Path(path_type=Path, file_okay=False, exists=True).convert(value, param, ctx)
