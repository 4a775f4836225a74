"""Pictures that a file names: a list, a column of a table, COCO's images."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from dirdet.batch.arrow import parquet
from dirdet.batch.entry import Entry, entry_name
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.files import file_entry
from dirdet.batch.listing.places import Place, located
from dirdet.batch.listing.tally import Tally
from dirdet.batch.listing.videos import is_video, video_entries
from dirdet.batch.remote import SIZES_AT_ONCE, is_address, sizes, without_query
from dirdet.batch.video.timeline import FrameRate

T = TypeVar("T")
ELSEWHERE = "is an address of elsewhere: a list reaches only the server or bucket that it is at, or that of --pictures"
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
# A column is taken without being named where it alone is called so.
USUAL_COLUMNS = ("picture", "image", "path", "file_name", "filename", "image_path", "file")


class ListSource:
    """See `Source`. A line for each picture, in UTF-8; empty ones are passed over."""

    kind = "list"

    def __init__(self, path: Path, relative_to: Place, videos: FrameRate) -> None:
        """Reads nothing yet."""
        self._path, self._relative_to, self._videos = path, relative_to, videos

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """See `Source.entries`."""
        return _named(self._lines(), self._relative_to, self._videos, tally)

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

    def __init__(self, path: Path, relative_to: Place, videos: FrameRate) -> None:
        """Reads nothing yet."""
        self._path, self._relative_to, self._videos = path, relative_to, videos

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """See `Source.entries`."""
        return _named(self._images(), self._relative_to, self._videos, tally)

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

    def __init__(self, path: Path, relative_to: Place, videos: FrameRate, *, column: str | None) -> None:
        """Reads nothing yet."""
        self._path, self._relative_to, self._column, self._videos = path, relative_to, column, videos

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """See `Source.entries`."""
        rows = self._parquet() if self._path.suffix.lower() == ".parquet" else self._csv()
        return _named(((name, None) for name in rows if name), self._relative_to, self._videos, tally)

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


def _named(
    names: Iterable[tuple[str, int | None]], relative_to: Place, videos: FrameRate, tally: Tally
) -> Iterator[Entry]:
    """The named pictures, and of a video its frames; the sizes of those at an address are asked many at once."""
    for chunk in batched(_once(names, tally), SIZES_AT_ONCE):
        found = [_located(relative_to, name, image_id) for name, image_id in chunk]
        remote = [each for each in found if each.fault is None and is_address(each.path)]
        asked = sizes([each.path.decode("utf-8", "surrogateescape") for each in remote]) if remote else []
        told = dict(zip((each.path for each in remote), asked, strict=True))
        for each in found:
            entry = replace(each, size=told.get(each.path, each.size))
            if entry.fault is None and is_video(entry.path):
                yield from video_entries(entry.name, entry.path, entry.size, videos)
            else:
                yield entry


def _located(place: Place, name: str, image_id: int | None) -> Entry:
    path, called = located(place, name), without_query(entry_name(name)) if is_address(name) else entry_name(name)
    if path is None:
        return Entry(called, b"", image_id=image_id, fault=ELSEWHERE)
    return Entry(called, path, image_id=image_id) if is_address(path) else file_entry(called, path, image_id)


def _once(names: Iterable[tuple[str, int | None]], tally: Tally) -> Iterator[tuple[str, int | None]]:
    taken: set[str] = set()
    for name, image_id in names:
        if name in taken:
            tally.repeated += 1
            continue
        taken.add(name)
        yield name, image_id


def batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Lists of so many, the last one shorter."""
    while chunk := list(islice(items, size)):
        yield chunk
