"""Stores measured figures row by row in a JSON file, so that they are measured only once."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from dirdet_training.study.errors import StudyError

Measured = dict[str, float]


class Ledger:
    """Figures by key, written to disk after every row, so that a stopped study can be resumed."""

    def __init__(self, path: Path) -> None:
        """Reads the file if it exists.

        Raises:
            StudyError: the file is not a ledger.
        """
        self.path = path
        self._rows: dict[str, dict[str, float | None]] = {}
        if path.is_file():
            try:
                rows: Any = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as exc:
                raise StudyError(f"{path} is broken ({exc}); delete it to measure again") from exc
            if not isinstance(rows, dict):
                raise StudyError(f"{path} must hold an object of rows, not {type(rows).__name__}; delete it")
            self._rows = cast("dict[str, dict[str, float | None]]", rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def figures(self, key: str, measure: Callable[[], Measured]) -> Measured:
        """Returns a row's figures, and measures and stores missing ones; figures that cannot be measured are nan."""
        if key not in self._rows:
            began = time.perf_counter()
            figures = measure()
            # JSON has no nan.
            row = {name: None if math.isnan(value) else value for name, value in figures.items()}
            self._rows[key] = row | {"seconds": round(time.perf_counter() - began, 3)}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".partial")
            partial.write_text(json.dumps(self._rows, indent=1), encoding="utf-8")
            partial.replace(self.path)
        row = self._rows[key]
        return {name: math.nan if value is None else value for name, value in row.items() if name != "seconds"}

    def seconds(self) -> list[float]:
        return [value for row in self._rows.values() if (value := row.get("seconds")) is not None]
