"""Imports the packages of dirdet's extras when they are needed."""

import importlib
from typing import Any

from dirdet.errors import MissingExtraError, install_hint


def import_extra(module: str, *, needs: str, extra: str) -> Any:  # noqa: ANN401 - those asked for have no types
    """Imports a module of a package that an extra installs.

    Args:
        module: its name.
        needs: subject and verb of the error message, such as "videos need".
        extra: the extra that installs it.

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
