"""Figures that were measured once and are not measured again: a JSON file that grows row by row."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from dirdet_training.study.errors import StudyError

Measured = dict[str, float]


class Ledger:
    """Figures by key, on disk after every row, so that a study that is stopped goes on where it was."""

    def __init__(self, path: Path) -> None:
        """Reads what is there.

        Raises:
            StudyError: the file is no ledger.
        """
        self.path = path
        self._rows: dict[str, dict[str, float | None]] = {}
        if path.is_file():
            try:
                rows: Any = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as exc:
                raise StudyError(f"{path} is broken ({exc}); delete it to measure anew") from exc
            if not isinstance(rows, dict):
                raise StudyError(f"{path} must hold an object of rows, not {type(rows).__name__}; delete it")
            self._rows = cast("dict[str, dict[str, float | None]]", rows)

    def __contains__(self, key: str) -> bool:
        """Whether a row is measured."""
        return key in self._rows

    def figures(self, key: str, measure: Callable[[], Measured]) -> Measured:
        """A row's figures; measured and written now where they are not there. What could not be measured is nan."""
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
        """How long each row took."""
        return [value for row in self._rows.values() if (value := row.get("seconds")) is not None]
