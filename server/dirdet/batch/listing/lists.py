"""Pictures that a file names: a list, a column of a table, COCO's images."""

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from io import TextIOWrapper
from itertools import islice
from pathlib import Path, PurePath
from typing import IO, TypeVar

from dirdet.batch.errors import SourceError
from dirdet.batch.listing.columns import MOST_CHARACTERS, chosen_column
from dirdet.batch.listing.files import file_entry
from dirdet.batch.listing.parquet_names import parquet_names
from dirdet.batch.listing.places import Place, located
from dirdet.batch.listing.source import Tally
from dirdet.batch.listing.videos import is_video, video_entries
from dirdet.batch.remote import SIZES_AT_ONCE, is_address, sizes, without_query
from dirdet.batch.source_picture import Entry, entry_name
from dirdet.batch.video.timeline import FrameRate
from dirdet.errors import MAX_SHOWN, shown
from dirdet.files import open_regular
from dirdet.pictures.formats import PICTURE_SUFFIXES

T = TypeVar("T")
ELSEWHERE = "is outside of the list's folder or address (--pictures names another)"
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
START = 64


class NamesSource:
    """Pictures that a file names; a repeated name counts once."""

    def __init__(
        self, kind: str, names: Callable[[], Iterable[tuple[str, int | None]]], relative_to: Place, videos: FrameRate
    ) -> None:
        """Reads nothing yet.

        Args:
            kind: the kind of file, in a word.
            names: reads the file: names, and the data set's ids if it has any.
            relative_to: folder or address that the names are relative to.
            videos: selection of videos' frames.
        """
        self.kind = kind
        self._names, self._relative_to, self._videos = names, relative_to, videos

    def entries(self, tally: Tally) -> Iterator[Entry]:
        return _named(self._names(), self._relative_to, self._videos, tally)


def list_lines(path: Path) -> Iterator[tuple[str, None]]:
    """Yields one picture for each line, in UTF-8; skips empty lines.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        with _text(path) as file:
            for line in _lines(file):
                if name := line.rstrip("\r\n").strip():
                    yield name, None
    except OSError as exc:
        raise SourceError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


def coco_images(path: Path) -> Iterator[tuple[str, int]]:
    """Yields the images of a COCO file with their ids.

    Raises:
        SourceError: the file cannot be read, or is not a COCO file.
    """
    from dirdet.batch.coco_file import read_coco_file  # imports msgspec, which only the extra [batch] brings

    named: dict[int, str] = {}
    for number, image in enumerate(read_coco_file(path).images):
        image_id = image.id_number()
        if image_id is None:
            written = bytes(image.id).decode()[:MAX_SHOWN]
            raise SourceError(
                f"{path}: images[{number}] ({shown(image.file_name)}) has the id {written}; "
                "expected a whole number of at most 64 bits, which all results keep exactly"
            )
        if named.setdefault(image_id, image.file_name) != image.file_name:
            both = f"{shown(named[image_id])} and {shown(image.file_name)}"
            raise SourceError(f"{path}: the id {image_id} belongs to two pictures, {both}")
        yield image.file_name, image_id


def table_names(path: Path, column: str | None) -> Iterator[tuple[str, None]]:
    """Yields a column of a CSV, TSV or Parquet file; skips empty cells.

    Raises:
        SourceError: the file cannot be read, or has no such column.
        MissingExtraError: pyarrow is not installed.
    """
    cells = parquet_names if path.suffix.lower() == ".parquet" else _csv_cells
    return ((name, None) for name in cells(path, column) if name)


def _csv_cells(path: Path, column: str | None) -> Iterator[str]:
    try:
        with _text(path, newline="") as file:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            rows = csv.DictReader(_lines(file), delimiter=delimiter, strict=True)
            names = list(rows.fieldnames or [])
            _check_head(path, names)
            chosen = chosen_column(path, names, column)
            for row in rows:
                yield row[chosen] or ""
    except (OSError, csv.Error) as exc:
        raise SourceError(f"{path}: cannot be read: {exc}") from exc


def _check_head(path: Path, names: Sequence[str]) -> None:
    """Refuses a table whose first line does not name columns.

    Raises:
        SourceError: says what the line is instead.
    """
    if len(names) == 1 and (found := next((each for each in SEPARATORS if each in names[0]), None)) is not None:
        said = f"its columns are separated by {SEPARATORS[found]}"
        raise SourceError(f"{path}: {said}; expected commas, or tabs in a .tsv")
    if picture := next((each for each in names if PurePath(each).suffix.lower() in PICTURE_SUFFIXES), None):
        raise SourceError(f"{path}: its first line has the picture {shown(picture)}; expected the columns' names")


def _text(path: Path, newline: str | None = None) -> IO[str]:
    """Opens a list or table.

    Raises:
        SourceError: it is in UTF-16, as Windows' tools write.
        OSError: it cannot be opened.
    """
    file = open_regular(path)
    start = file.peek(START)[:START]
    if (marked := start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start:
        file.close()
        said = "is text in UTF-16" if marked else "has zero bytes, as text in UTF-16 has"
        raise SourceError(f"{path}: {said}; expected UTF-8 (iconv -f UTF-16 -t UTF-8)")
    return TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline=newline)


def _lines(file: IO[str]) -> Iterator[str]:
    """The lines of a list or table.

    Raises:
        SourceError: a line is longer than any name.
    """
    number = 0
    while line := file.readline(MOST_CHARACTERS + 1):
        number += 1
        if len(line) > MOST_CHARACTERS:
            raise SourceError(f"{file.name}: line {number} has more than {MOST_CHARACTERS} characters")
        yield line


def _named(
    names: Iterable[tuple[str, int | None]], relative_to: Place, videos: FrameRate, tally: Tally
) -> Iterator[Entry]:
    """The named pictures and the frames of named videos; requests the sizes of remote files many at a time."""
    for chunk in batched(_once(names, tally), SIZES_AT_ONCE):
        found = [_located(relative_to, name, image_id) for name, image_id in chunk]
        remote = [each for each in found if each.fault is None and is_address(each.path)]
        asked = sizes([each.path.decode("utf-8", "surrogateescape") for each in remote]) if remote else []
        size_of = dict(zip((each.path for each in remote), asked, strict=True))
        for each in found:
            entry = replace(each, size=size_of.get(each.path, each.size))
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
            tally.repeat(name if image_id is None else f"{name} (id {image_id})")
            continue
        taken.add(name)
        yield name, image_id


def batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items; the last one may be shorter."""
    while chunk := list(islice(items, size)):
        yield chunk
