"""Pictures that a file names: a list, a column of a table, COCO's images."""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from dirdet.batch.arrow import parquet
from dirdet.batch.entry import Entry, entry_name
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.files import file_entry
from dirdet.batch.listing.tally import Tally

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
# A column is taken without being named where it alone is called so.
USUAL_COLUMNS = ("picture", "image", "path", "file_name", "filename", "image_path", "file")


class ListSource:
    """See `Source`. A line for each picture, in UTF-8; empty ones are passed over."""

    kind = "list"

    def __init__(self, path: Path, relative_to: Path) -> None:
        """Reads nothing yet."""
        self._path, self._relative_to = path, relative_to

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """See `Source.entries`."""
        return _named(self._lines(), self._relative_to, tally)

    def _lines(self) -> Iterator[tuple[str, int | None]]:
        try:
            with self._path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
                for line in file:
                    if name := line.rstrip("\r\n").strip():
                        yield name, None
        except OSError as exc:
            raise SourceError(f"{self._path}: cannot be read: {exc.strerror or exc}") from exc


class CocoSource:
    """See `Source`. The images of a COCO file, whose ids go with them."""

    kind = "coco"

    def __init__(self, path: Path, relative_to: Path) -> None:
        """Reads nothing yet."""
        self._path, self._relative_to = path, relative_to

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """See `Source.entries`."""
        return _named(self._images(), self._relative_to, tally)

    def _images(self) -> Iterator[tuple[str, int | None]]:
        try:
            told: Any = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise SourceError(f"{self._path}: cannot be read as JSON: {exc}") from exc
        images: Any = cast(dict[str, Any], told).get("images") if isinstance(told, dict) else None
        if not isinstance(images, list):
            raise SourceError(f"{self._path}: is no COCO file: it has no list of images")
        for number, image in enumerate(cast(list[Any], images)):
            try:
                yield str(image["file_name"]), int(image["id"])
            except (TypeError, KeyError, ValueError) as exc:
                raise SourceError(f"{self._path}: images[{number}] has no file_name or no id that is a number") from exc


class TableSource:
    """See `Source`. A column of a CSV, TSV or Parquet file; a name that stands in several rows counts once."""

    kind = "table"

    def __init__(self, path: Path, relative_to: Path, *, column: str | None) -> None:
        """Reads nothing yet."""
        self._path, self._relative_to, self._column = path, relative_to, column

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """See `Source.entries`."""
        rows = self._parquet() if self._path.suffix.lower() == ".parquet" else self._csv()
        return _named(((name, None) for name in rows if name), self._relative_to, tally)

    def _csv(self) -> Iterator[str]:
        try:
            with self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                rows = csv.DictReader(file, delimiter="\t" if self._path.suffix.lower() == ".tsv" else ",")
                column = self._chosen(list(rows.fieldnames or []))
                for row in rows:
                    yield row[column] or ""
        except (OSError, csv.Error) as exc:
            raise SourceError(f"{self._path}: cannot be read: {exc}") from exc

    def _parquet(self) -> Iterator[str]:
        pq = parquet()
        try:
            with pq.ParquetFile(self._path) as file:
                column = self._chosen(list(file.schema_arrow.names))
                for batch in file.iter_batches(batch_size=8192, columns=[column]):
                    for value in batch.column(0).to_pylist():
                        yield "" if value is None else str(value)
        except (OSError, ValueError) as exc:  # pyarrow's ArrowInvalid is a ValueError
            raise SourceError(f"{self._path}: cannot be read as Parquet: {exc}") from exc

    def _chosen(self, columns: list[str]) -> str:
        if self._column is not None:
            if self._column in columns:
                return self._column
            raise SourceError(f"{self._path}: no column {self._column!r}; it has {', '.join(columns) or 'none'}")
        usual = columns if len(columns) == 1 else [each for each in columns if each.lower() in USUAL_COLUMNS]
        if len(usual) != 1:
            raise SourceError(f"{self._path}: which column? --column NAME, of {', '.join(columns) or 'none'}")
        return usual[0]


def _named(names: Iterable[tuple[str, int | None]], relative_to: Path, tally: Tally) -> Iterator[Entry]:
    taken: set[str] = set()
    for name, image_id in names:
        if name in taken:
            tally.repeated += 1
            continue
        taken.add(name)
        yield file_entry(entry_name(name), os.fsencode(relative_to / name), image_id)
