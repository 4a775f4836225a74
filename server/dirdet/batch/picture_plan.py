"""The plan: the job's pictures in order, fixed in a file before the first picture is read."""

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.listing.source import Source, Tally
from dirdet.batch.source_picture import Entry
from dirdet.files import write_whole

ROWS = 8192
COLUMNS = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Choice:
    """Selection of a source's pictures.

    Attributes:
        limit: keep the first `limit` pictures.
        sample: of those, keep `sample` pictures drawn at random, in the source's order.
        seed: of the random draw.
    """

    limit: int | None = None
    sample: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """Summary of a plan.

    Attributes:
        pictures: how many.
        sha256: of their names, sizes and ids in order.
        left_out: what the listing counted.
    """

    pictures: int
    sha256: str
    left_out: Tally


def chosen(source: Source, choice: Choice, tally: Tally) -> Iterator[Entry]:
    """The selected pictures of a source; with a sample, the source is listed twice."""
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


def summarise(entries: Iterable[Entry], tally: Tally) -> PlanSummary:
    """Summarises entries without keeping them."""
    digest, number = hashlib.sha256(), 0
    for entry in entries:
        digest.update(repr((entry.name, entry.size, entry.image_id)).encode())
        number += 1
    return PlanSummary(number, digest.hexdigest(), tally)


def write_plan(path: Path, entries: Iterable[Entry], tally: Tally) -> PlanSummary:
    """Writes entries as the iterator yields them; the file is written atomically."""
    pa, pq = arrow(), parquet()
    types = (pa.string(), pa.binary(), pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.string(), pa.int64())
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
    planned: list[PlanSummary] = []

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

            planned.append(summarise(passing(), tally))

    write_whole(path, fill, durable=True)
    return planned[0]


def read_plan(path: Path, start: int = 0) -> Iterator[Entry]:
    """Reads the entries from a position on, a few thousand at a time."""
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
    """The first difference between a plan and a source, for an error message."""
    before, now = iter(planned), iter(found)
    position = 0
    while True:
        was, is_ = next(before, None), next(now, None)
        position += 1
        if was is None and is_ is None:
            return "none"
        if was is None or is_ is None or (was.name, was.size, was.image_id) != (is_.name, is_.size, is_.image_id):
            return f"picture {position} was {_described(was)} and is {_described(is_)}"


def _described(entry: Entry | None) -> str:
    if entry is None:
        return "none"
    return f"{entry.name} ({'of unknown size' if entry.size is None else f'{entry.size} bytes'})"
