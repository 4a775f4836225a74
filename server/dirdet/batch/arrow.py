"""Imports pyarrow when a job needs it."""

from typing import Any

from dirdet.extras import import_extra


def arrow(module: str = "pyarrow") -> Any:  # noqa: ANN401 - pyarrow says no types
    """Imports pyarrow or one of its modules.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra(module, needs="a job needs", extra="batch")


def parquet() -> Any:  # noqa: ANN401
    """Imports pyarrow.parquet.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    return arrow("pyarrow.parquet")
