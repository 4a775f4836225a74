"""Packages of dirdet's extras, imported when they are needed."""

import importlib
from typing import Any

from dirdet.errors import MissingExtraError, install_hint


def import_extra(module: str, *, needs: str, extra: str) -> Any:  # noqa: ANN401 - those asked for have no types
    """A module of a package that comes with an extra.

    Args:
        module: its name.
        needs: who needs it, with the verb: "videos need".
        extra: which has it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{needs} the package {package!r}, which is not installed: {install_hint(extra)}"
        ) from exc
