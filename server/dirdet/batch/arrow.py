"""pyarrow, imported when a job needs it."""

import importlib
from typing import Any

from dirdet.errors import MissingExtraError, install_hint


def arrow(module: str = "pyarrow") -> Any:  # noqa: ANN401 - pyarrow says no types
    """Pyarrow or a module of it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        raise MissingExtraError(
            f"a job needs the package 'pyarrow', which is not installed: {install_hint('batch')}"
        ) from exc


def parquet() -> Any:  # noqa: ANN401
    """pyarrow.parquet.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    return arrow("pyarrow.parquet")
