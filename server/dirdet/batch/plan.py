"""The plan: which pictures a job is about, in their order, fixed in a file before the first is read."""

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.entry import Entry
from dirdet.batch.listing.source import Source
from dirdet.batch.listing.tally import Tally
from dirdet.files import write_whole

ROWS = 8192
COLUMNS = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a source's pictures are wanted.

    Attributes:
        limit: the first so many.
        sample: so many drawn at random from those, in the source's order.
        seed: of the draw.
    """

    limit: int | None = None
    sample: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan amounts to.

    Attributes:
        pictures: how many.
        sha256: of their names, sizes and ids in their order.
        passed_over: files left out because their names end as no picture's.
        repeated: names left out because they were there already.
    """

    pictures: int
    sha256: str
    passed_over: int
    repeated: int


def chosen(source: Source, choice: Choice, tally: Tally) -> Iterator[Entry]:
    """The wanted pictures of a source; a sample lists it twice."""
    wanted = islice(source.entries(tally), choice.limit)
    if choice.sample is None:
        yield from wanted
        return
    total = sum(1 for _ in islice(source.entries(Tally()), choice.limit))
    if choice.sample >= total:
        yield from wanted
        return
    drawn = sorted(random.Random(choice.seed).sample(range(total), choice.sample), reverse=True)
    for position, entry in enumerate(wanted):
        if drawn and position == drawn[-1]:
            drawn.pop()
            yield entry


def look_over(entries: Iterable[Entry], tally: Tally) -> Planned:
    """Goes through entries and keeps none."""
    digest, number = hashlib.sha256(), 0
    for entry in entries:
        digest.update(repr((entry.name, entry.size, entry.image_id)).encode())
        number += 1
    return Planned(number, digest.hexdigest(), tally.passed_over, tally.repeated)


def write_plan(path: Path, entries: Iterable[Entry], tally: Tally) -> Planned:
    """Writes entries as they come; the file appears whole or not at all."""
    pa, pq = arrow(), parquet()
    types = (pa.string(), pa.binary(), pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.string(), pa.int64())
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
    planned: list[Planned] = []

    def fill(file: Any) -> None:  # noqa: ANN401
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:

            def passing() -> Iterator[Entry]:
                held: list[Entry] = []
                for entry in entries:
                    held.append(entry)
                    if len(held) == ROWS:
                        write(held)
                        held = []
                    yield entry
                if held:
                    write(held)

            def write(held: list[Entry]) -> None:
                columns = zip(*(astuple(entry) for entry in held), strict=True)
                arrays = [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

            planned.append(look_over(passing(), tally))

    write_whole(path, fill, durable=True)
    return planned[0]


def read_plan(path: Path, start: int = 0) -> Iterator[Entry]:
    """The entries from a position on; no more than some thousands are held."""
    with parquet().ParquetFile(path) as file:
        passed = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if passed + rows > start:
                table = file.read_row_group(group, columns=list(COLUMNS)).slice(max(0, start - passed))
                for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                    yield Entry(*row)
            passed += rows


def first_difference(planned: Iterable[Entry], found: Iterable[Entry]) -> str:
    """Where a source begins to differ from a plan, for people."""
    before, now = iter(planned), iter(found)
    position = 0
    while True:
        was, is_ = next(before, None), next(now, None)
        position += 1
        if was is None and is_ is None:
            return "none"
        if was is None or is_ is None or (was.name, was.size, was.image_id) != (is_.name, is_.size, is_.image_id):
            return f"picture {position} was {_told(was)} and is {_told(is_)}"


def _told(entry: Entry | None) -> str:
    if entry is None:
        return "none"
    return f"{entry.name} ({'of unknown size' if entry.size is None else f'{entry.size} bytes'})"
